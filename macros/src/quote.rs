//! Code from templates.

use proc_macro::{Delimiter, Group, Ident, Punct, Spacing, Span, TokenStream, TokenTree};

/// Parses `template` and puts `arguments[0]` where it says `__0`, and so on. Local variables of the
/// template cannot be seen by the arguments.
pub(crate) fn fill(template: &str, arguments: &[TokenStream]) -> TokenStream {
    match template.parse() {
        Ok(template) => substitute(template, arguments),
        Err(error) => {
            compile_error(&format!("a template of glassnet-macros: {error}"), Span::call_site())
        }
    }
}

fn substitute(template: TokenStream, arguments: &[TokenStream]) -> TokenStream {
    let mut filled = TokenStream::new();
    for mut token in template {
        match &token {
            TokenTree::Group(group) => {
                let mut inner =
                    Group::new(group.delimiter(), substitute(group.stream(), arguments));
                inner.set_span(Span::mixed_site());
                filled.extend([TokenTree::Group(inner)]);
            }
            TokenTree::Ident(name) => match argument_called(name, arguments) {
                Some(argument) => filled.extend(argument.clone()),
                None => {
                    token.set_span(Span::mixed_site());
                    filled.extend([token]);
                }
            },
            _ => {
                token.set_span(Span::mixed_site());
                filled.extend([token]);
            }
        }
    }
    filled
}

fn argument_called<'a>(name: &Ident, arguments: &'a [TokenStream]) -> Option<&'a TokenStream> {
    let name = name.to_string();
    arguments.get(name.strip_prefix("__")?.parse::<usize>().ok()?)
}

/// Has the compiler say `message` about `span`.
pub(crate) fn compile_error(message: &str, span: Span) -> TokenStream {
    let mut text = proc_macro::Literal::string(message);
    text.set_span(span);
    let mut arguments = Group::new(Delimiter::Brace, TokenTree::Literal(text).into());
    arguments.set_span(span);
    let mut exclamation_mark = Punct::new('!', Spacing::Alone);
    exclamation_mark.set_span(span);
    [
        TokenTree::Ident(Ident::new("compile_error", span)),
        TokenTree::Punct(exclamation_mark),
        TokenTree::Group(arguments),
    ]
    .into_iter()
    .collect()
}
