//! The code of `#[glassnet::test]`.

use proc_macro::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};

use crate::quote::{compile_error, fill};

/// An error and where it is.
type Wrong = (String, Span);

/// Expands the attribute on a function.
pub(crate) fn expand(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let expanded = Settings::parse(arguments)
        .and_then(|settings| Function::parse(item.clone()).map(|function| (settings, function)));
    match expanded {
        Ok((settings, function)) => function.expand(&settings),
        Err((message, span)) => {
            // The function stays, so that its own mistakes are told as well.
            let mut code = compile_error(&message, span);
            code.extend(item);
            code
        }
    }
}

/// What stands in the brackets of the attribute.
struct Settings {
    /// The calls that make up the `Check`.
    check: TokenStream,
    /// The path of the crate.
    glassnet: TokenStream,
}

impl Settings {
    fn parse(arguments: TokenStream) -> Result<Settings, Wrong> {
        let mut check = TokenStream::new();
        let mut glassnet: TokenStream = fill("::glassnet", &[]);
        let mut names = Vec::new();
        for setting in split_at_commas(arguments) {
            let mut tokens = setting.into_iter();
            let Some(TokenTree::Ident(name)) = tokens.next() else {
                return Err((EXPECTED.to_owned(), Span::call_site()));
            };
            let span = name.span();
            let name = name.to_string();
            if names.contains(&name) {
                return Err((format!("give `{name}` once"), span));
            }
            names.push(name.clone());
            let has_value = match tokens.next() {
                None => false,
                Some(TokenTree::Punct(sign)) if sign.as_char() == '=' => true,
                Some(other) => return Err((EXPECTED.to_owned(), other.span())),
            };
            let value: TokenStream = tokens.collect();
            if has_value == value.is_empty() || has_value == FLAGS.contains(&&*name) {
                return Err((EXPECTED.to_owned(), span));
            }
            let call = match name.as_str() {
                "seed" | "seeds"
                    if names.iter().filter(|it| it.starts_with("seed")).count() > 1 =>
                {
                    return Err(("give `seed` or `seeds`".to_owned(), span));
                }
                "seed" => fill(".seed(__0)", &[value]),
                "seeds" => fill(".seeds(__0)", &[value]),
                "keep_going" => fill(".keep_going(true)", &[]),
                "determinism" => fill(".determinism(true)", &[]),
                "tokio" => fill(".tokio()", &[]),
                "process" | "direct"
                    if names
                        .iter()
                        .filter(|it| matches!(it.as_str(), "process" | "direct"))
                        .count()
                        > 1 =>
                {
                    return Err(("give `process` or `direct`".to_owned(), span));
                }
                "process" => fill(".process(true)", &[]),
                "direct" => fill(".process(false)", &[]),
                "timeout" => fill(".time_limit(__0)", &[duration(value, span)?]),
                "wall" => fill(".wall_limit(__0)", &[duration(value, span)?]),
                "crate" => {
                    glassnet = path(value, span)?;
                    continue;
                }
                _ => return Err((EXPECTED.to_owned(), span)),
            };
            check.extend(call);
        }
        Ok(Settings { check, glassnet })
    }
}

/// Settings without a value.
const FLAGS: [&str; 5] = ["keep_going", "determinism", "tokio", "process", "direct"];

const EXPECTED: &str = "expected `seed = 7`, `seeds = 100`, `keep_going`, `determinism`, `tokio`, `process`, \
                        `direct`, `timeout = \"10s\"` (of the world's time), `wall = \"30s\"` (of real time), or `crate = \"path\"`";

fn split_at_commas(tokens: TokenStream) -> Vec<TokenStream> {
    let mut parts = vec![TokenStream::new()];
    for token in tokens {
        match (&token, parts.last_mut()) {
            (TokenTree::Punct(punct), _) if punct.as_char() == ',' => {
                parts.push(TokenStream::new())
            }
            (_, Some(part)) => part.extend([token]),
            (_, None) => {}
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// The text of a string literal without escapes.
fn text_of(value: &TokenStream) -> Option<String> {
    let text = value.to_string();
    let inner = text.strip_prefix('"')?.strip_suffix('"')?;
    (!inner.contains(['"', '\\'])).then(|| inner.to_owned())
}

fn path(value: TokenStream, span: Span) -> Result<TokenStream, Wrong> {
    let path = text_of(&value).and_then(|text| text.parse().ok());
    path.ok_or_else(|| {
        ("expected the path of a crate, as `crate = \"net::glassnet\"`".to_owned(), span)
    })
}

/// A `Duration` from `"10s"`, or from any expression that is one.
fn duration(value: TokenStream, span: Span) -> Result<TokenStream, Wrong> {
    if !value.to_string().starts_with('"') {
        return Ok(value);
    }
    let nanoseconds = text_of(&value).and_then(|text| nanoseconds(&text));
    let Some(nanoseconds) = nanoseconds else {
        let message =
            "expected a duration: a whole number and ns, us, ms, s, min or h, as \"1500ms\"";
        return Err((message.to_owned(), span));
    };
    let nanoseconds = TokenTree::Literal(Literal::u64_suffixed(nanoseconds));
    Ok(fill("::core::time::Duration::from_nanos(__0)", &[nanoseconds.into()]))
}

fn nanoseconds(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match text[digits..].trim_start() {
        "ns" => 1,
        "us" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// The function that the attribute stands on.
struct Function {
    attributes: TokenStream,
    should_panic: bool,
    visibility: TokenStream,
    is_async: bool,
    name: Ident,
    /// The function from `async` or `fn` on.
    whole: TokenStream,
}

impl Function {
    fn parse(item: TokenStream) -> Result<Function, Wrong> {
        let mut tokens = item.into_iter().peekable();
        let mut attributes = TokenStream::new();
        let mut should_panic = false;
        while matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if punct.as_char() == '#') {
            attributes.extend(tokens.next());
            if let Some(TokenTree::Group(attribute)) = tokens.next() {
                let first = attribute.stream().into_iter().next();
                should_panic |= first.is_some_and(|first| first.to_string() == "should_panic");
                attributes.extend([TokenTree::Group(attribute)]);
            }
        }
        let mut visibility = TokenStream::new();
        if matches!(tokens.peek(), Some(TokenTree::Ident(word)) if word.to_string() == "pub") {
            visibility.extend(tokens.next());
            if matches!(tokens.peek(), Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Parenthesis)
            {
                visibility.extend(tokens.next());
            }
        }
        let mut whole = TokenStream::new();
        let mut is_async = false;
        let mut word = tokens.next();
        if let Some(TokenTree::Ident(first)) = &word
            && first.to_string() == "async"
        {
            is_async = true;
            whole.extend(word.take());
            word = tokens.next();
        }
        let Some(TokenTree::Ident(keyword)) = word else {
            return Err((NO_FUNCTION.to_owned(), Span::call_site()));
        };
        if keyword.to_string() != "fn" {
            return Err((NO_FUNCTION.to_owned(), keyword.span()));
        }
        let (Some(TokenTree::Ident(name)), Some(TokenTree::Group(parameters))) =
            (tokens.next(), tokens.next())
        else {
            return Err(("a test has no generic parameters".to_owned(), keyword.span()));
        };
        check_parameters(is_async, &parameters)?;
        whole.extend([
            TokenTree::Ident(keyword),
            TokenTree::Ident(name.clone()),
            TokenTree::Group(parameters),
        ]);
        whole.extend(tokens);
        Ok(Function { attributes, should_panic, visibility, is_async, name, whole })
    }

    fn expand(self, settings: &Settings) -> TokenStream {
        let Settings { check, glassnet } = settings;
        let run = fill(if self.is_async { "run_async" } else { "run" }, &[]);
        let name = TokenTree::Ident(self.name.clone());
        // A seed with which such a test fails is no regression.
        let forgets = match self.should_panic {
            true => fill(".regressions(false)", &[]),
            false => TokenStream::new(),
        };
        let result = fill(
            "__0::__test::__1(
                __0::Check::new() __2 __4,
                ::core::concat!(::core::module_path!(), \"::\", ::core::stringify!(__3)),
                __3,
            )",
            &[glassnet.clone(), run, check.clone(), name.clone().into(), forgets],
        );
        // What should panic must not return anything.
        let body = match self.should_panic {
            true => fill("__0::__test::panic_with_error(__1);", &[glassnet.clone(), result]),
            false => result,
        };
        let returned = match self.should_panic {
            true => TokenStream::new(),
            false => fill("-> __0::Result", std::slice::from_ref(glassnet)),
        };
        fill(
            "#[::core::prelude::v1::test] __0 __1 fn __2() __3 { __4 __5 }",
            &[self.attributes, self.visibility, name.into(), returned, self.whole, body],
        )
    }
}

const NO_FUNCTION: &str =
    "a test is `fn name(sim: &mut Sim)`, or `async fn name()`, without other keywords";

fn check_parameters(is_async: bool, parameters: &Group) -> Result<(), Wrong> {
    let wrong = match (is_async, parameters.stream().is_empty()) {
        (false, true) => {
            "a test takes the world that it sets up and runs, `sim: &mut Sim`, or it is `async` and \
             runs on the only host of one"
        }
        (true, false) => {
            "an `async` test runs on the only host of a world and takes nothing; one that takes \
             `sim: &mut Sim` sets up the hosts itself and is not `async`"
        }
        _ => return Ok(()),
    };
    Err((wrong.to_owned(), parameters.span()))
}
