//! The code of `select!`.

use std::fmt::Write as _;

use proc_macro::{Group, Span, TokenStream, TokenTree};

use crate::quote::{compile_error, fill};

/// Expands `(crate) (start) (else) {(pattern) (future) (condition) (handler)} …`.
pub(crate) fn expand(input: TokenStream) -> TokenStream {
    let mut groups = groups_of(input).into_iter();
    let (Some(glassnet), Some(start), Some(otherwise)) =
        (groups.next(), groups.next(), groups.next())
    else {
        return compile_error("not called by glassnet::select!", Span::call_site());
    };
    let branches: Vec<[TokenStream; 4]> =
        groups.filter_map(|branch| groups_of(branch).try_into().ok()).collect();
    if branches.len() > MAX_BRANCHES {
        let message = format!("select! has up to {MAX_BRANCHES} branches");
        return compile_error(&message, Span::call_site());
    }
    let mut arguments = vec![glassnet, start, otherwise];
    let mut code = Code::default();
    for (index, [pattern, future, condition, handler]) in branches.into_iter().enumerate() {
        let clean = without_bindings_by_name(pattern.clone());
        let first = arguments.len();
        arguments.extend([pattern, future, condition, handler, clean]);
        code.add_branch(index, first);
    }
    fill(&code.whole(), &arguments)
}

/// As many as tokio's has.
const MAX_BRANCHES: usize = 64;

#[derive(Default)]
struct Code {
    parameters: String,
    variants: String,
    disabled: String,
    futures: String,
    pinned: String,
    polls: String,
    handlers: String,
    branches: usize,
}

impl Code {
    /// `first` is the number of the branch's first argument.
    fn add_branch(&mut self, index: usize, first: usize) {
        let [pattern, future, condition, handler, clean] =
            [first, first + 1, first + 2, first + 3, first + 4];
        self.branches += 1;
        let _ = write!(self.parameters, "T{index},");
        let _ = write!(self.variants, "Branch{index}(T{index}),");
        let _ = write!(self.disabled, "!(__{condition}),");
        let _ = write!(self.futures, "__{future},");
        let _ = write!(
            self.pinned,
            "::core::pin::pin!(::core::future::IntoFuture::into_future(futures.{index})),"
        );
        let _ = write!(
            self.polls,
            "{index} => {{
                if disabled[{index}] {{
                    continue;
                }}
                let output =
                    match ::core::future::Future::poll(pinned.{index}.as_mut(), context) {{
                        ::core::task::Poll::Ready(output) => output,
                        ::core::task::Poll::Pending => {{
                            is_pending = true;
                            continue;
                        }}
                    }};
                disabled[{index}] = true;
                #[allow(unused_variables, unused_mut)]
                match &output {{
                    __{clean} => {{}}
                    _ => continue,
                }}
                return ::core::task::Poll::Ready(__GlassnetSelected::Branch{index}(output));
            }}"
        );
        let _ =
            write!(self.handlers, "__GlassnetSelected::Branch{index}(__{pattern}) => __{handler},");
    }

    fn whole(&self) -> String {
        let Code { parameters, variants, disabled, futures, pinned, polls, handlers, branches } =
            self;
        format!(
            "{{
                enum __GlassnetSelected<{parameters}> {{
                    {variants}
                    Disabled,
                }}
                const __GLASSNET_BRANCHES: u32 = {branches};
                let mut disabled = [{disabled}];
                let selected = {{
                    let futures = ({futures});
                    let mut pinned = ({pinned});
                    let selected = ::core::future::poll_fn(|context| {{
                        if __0::task::select::poll_budget(context).is_pending() {{
                            return ::core::task::Poll::Pending;
                        }}
                        let mut is_pending = false;
                        let start: u32 = __1;
                        for offset in 0..__GLASSNET_BRANCHES {{
                            let at = start + offset;
                            let has_gone_round = at >= __GLASSNET_BRANCHES;
                            match if has_gone_round {{ at - __GLASSNET_BRANCHES }} else {{ at }} {{
                                {polls}
                                _ => ::core::unreachable!(),
                            }}
                        }}
                        if is_pending {{
                            ::core::task::Poll::Pending
                        }} else {{
                            ::core::task::Poll::Ready(__GlassnetSelected::Disabled)
                        }}
                    }})
                    .await;
                    selected
                }};
                match selected {{
                    {handlers}
                    __GlassnetSelected::Disabled => __2,
                    _ => ::core::unreachable!(\"failed to match bind\"),
                }}
            }}"
        )
    }
}

fn groups_of(input: TokenStream) -> Vec<TokenStream> {
    let group = |token| match token {
        TokenTree::Group(group) => Some(Group::stream(&group)),
        _ => None,
    };
    input.into_iter().filter_map(group).collect()
}

/// The pattern without `mut` and `ref`, to be matched against a reference.
fn without_bindings_by_name(pattern: TokenStream) -> TokenStream {
    let mut clean = TokenStream::new();
    let mut follows_ampersand = false;
    for token in pattern {
        let is_ampersand = matches!(&token, TokenTree::Punct(punct) if punct.as_char() == '&');
        match token {
            TokenTree::Ident(word)
                if !follows_ampersand && matches!(word.to_string().as_str(), "mut" | "ref") => {}
            TokenTree::Group(group) => {
                let inner = without_bindings_by_name(group.stream());
                let mut cleaned = Group::new(group.delimiter(), inner);
                cleaned.set_span(group.span());
                clean.extend([TokenTree::Group(cleaned)]);
            }
            other => clean.extend([other]),
        }
        follows_ampersand = is_ampersand;
    }
    clean
}
