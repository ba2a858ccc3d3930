//! The words of a script: packetdrill's `lexer.l`.

use std::collections::BTreeMap;

use super::error::ScriptError;

/// A word, and the line on which it begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) line: u32,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `--name` or `--name=value`.
    Option { name: String, value: Option<String> },
    /// Digits, with a sign perhaps.
    Integer(i64),
    /// `0x…`
    Hex(i64),
    /// Digits with a point: nanoseconds, if it is a time in seconds; and how it was written.
    Decimal { nanos: i64, text: String },
    /// A name.
    Word(String),
    /// Between double quotes.
    Text(String),
    /// Between back quotes.
    Command(String),
    /// Between `%{` and `}%`.
    Code(String),
    /// `a.b.c.d`
    Address(String),
    /// `...`
    Ellipsis,
    /// Any other character.
    Symbol(char),
}

impl Kind {
    /// How an error names it.
    pub(super) fn describe(&self) -> String {
        match self {
            Kind::Option { name, .. } => format!("--{name}"),
            Kind::Integer(value) => value.to_string(),
            Kind::Hex(value) => format!("{value:#x}"),
            Kind::Decimal { text, .. } | Kind::Word(text) | Kind::Address(text) => text.clone(),
            Kind::Text(_) => "a string".to_owned(),
            Kind::Command(_) => "a command".to_owned(),
            Kind::Code(_) => "%{ }%".to_owned(),
            Kind::Ellipsis => "...".to_owned(),
            Kind::Symbol(symbol) => symbol.to_string(),
        }
    }
}

/// Cuts a script into words. Names in `defines` are replaced by what they stand for.
pub(super) fn words(
    text: &str,
    defines: &BTreeMap<String, String>,
) -> Result<Vec<Token>, ScriptError> {
    let mut lexer = Lexer { rest: text, line: 1, defines: defines.clone(), tokens: Vec::new() };
    while lexer.next_token()? {}
    Ok(lexer.tokens)
}

struct Lexer<'t> {
    rest: &'t str,
    line: u32,
    defines: BTreeMap<String, String>,
    tokens: Vec<Token>,
}

fn is_word(symbol: char) -> bool {
    symbol.is_ascii_alphanumeric() || symbol == '_'
}

impl<'t> Lexer<'t> {
    /// Goes on by so many bytes, and returns them.
    fn take(&mut self, len: usize) -> &'t str {
        let (taken, rest) = self.rest.split_at(len);
        self.rest = rest;
        self.line += taken.matches('\n').count() as u32;
        taken
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) -> &'t str {
        let len = self.rest.find(|symbol| !is_part(symbol)).unwrap_or(self.rest.len());
        self.take(len)
    }

    /// Leaves out blanks and comments.
    fn skip_blanks(&mut self) -> Result<(), ScriptError> {
        loop {
            self.take_while(char::is_whitespace);
            if self.rest.starts_with("//") {
                self.take_while(|symbol| symbol != '\n');
            } else if self.rest.starts_with("/*") {
                let line = self.line;
                let end = self.rest[2..].find("*/");
                let end = end.ok_or_else(|| ScriptError::wrong(line, "a comment has no end"))?;
                self.take(end + 4);
            } else {
                return Ok(());
            }
        }
    }

    fn next_token(&mut self) -> Result<bool, ScriptError> {
        self.skip_blanks()?;
        let line = self.line;
        let Some(first) = self.rest.chars().next() else { return Ok(false) };
        let kind = match first {
            '"' => Kind::Text(self.quoted('"', "string")?),
            '`' => Kind::Command(self.quoted('`', "command")?),
            '%' if self.rest.starts_with("%{") => {
                let end = self.rest.find("}%");
                let end = end.ok_or_else(|| ScriptError::wrong(line, "%{ has no }%"))?;
                let code = self.take(end + 2);
                Kind::Code(code[2..end].trim_matches([' ', '\t']).to_owned())
            }
            '-' if self.rest.starts_with("--") => self.option()?,
            '.' if self.rest.starts_with("...") => {
                self.take(3);
                Kind::Ellipsis
            }
            _ if is_word(first) || first == '.' || first == '-' => self.number_or_word(first)?,
            _ => Kind::Symbol(self.symbol()),
        };
        self.tokens.push(Token { line, kind });
        Ok(true)
    }

    fn symbol(&mut self) -> char {
        let symbol = self.rest.chars().next().unwrap_or(' ');
        self.take(symbol.len_utf8());
        symbol
    }

    /// What stands between two quotes; a backslash keeps the quote after it within.
    fn quoted(&mut self, quote: char, what: &str) -> Result<String, ScriptError> {
        let line = self.line;
        self.take(1);
        let mut escaped = false;
        let end = self.rest.find(|symbol| {
            let ends = symbol == quote && !escaped;
            escaped = symbol == '\\' && !escaped;
            ends
        });
        let end = end.ok_or_else(|| ScriptError::wrong(line, format!("a {what} has no end")))?;
        let text = self.take(end).to_owned();
        self.take(1);
        Ok(text)
    }

    fn option(&mut self) -> Result<Kind, ScriptError> {
        let line = self.line;
        self.take(2);
        let name = self.take_while(is_word).to_owned();
        if name.is_empty() {
            return Err(ScriptError::wrong(line, "-- has no name of an option after it"));
        }
        let mut value = None;
        if self.rest.starts_with('=') {
            self.take(1);
            let mut text = self
                .take_while(|symbol| !symbol.is_whitespace() && symbol != '"' && symbol != '`')
                .to_owned();
            if let Some(quote) = self.rest.chars().next().filter(|quote| "\"`".contains(*quote)) {
                let quoted = self.quoted(quote, "value")?;
                match name == "define" {
                    true => text.extend([quote.to_string(), quoted, quote.to_string()]),
                    false => text.push_str(&quoted),
                }
            }
            if name == "define" {
                let Some((symbol, stands_for)) = text.split_once('=') else {
                    return Err(ScriptError::wrong(line, "--define wants NAME=VALUE"));
                };
                self.defines.insert(symbol.to_owned(), stands_for.to_owned());
            }
            value = Some(text);
        }
        Ok(Kind::Option { name, value })
    }

    fn number_or_word(&mut self, first: char) -> Result<Kind, ScriptError> {
        let line = self.line;
        let sign = usize::from(first == '-');
        let digits =
            |text: &str| text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let body = &self.rest[sign..];
        let whole = digits(body);
        let word = body.len() - body.trim_start_matches(is_word).len();
        let fraction = match body[whole..].strip_prefix('.') {
            Some(rest) => digits(rest),
            None => 0,
        };
        // As lex does: of what fits, the longest.
        if fraction > 0 && whole + 1 + fraction > word {
            if sign == 0
                && whole > 0
                && let Some(len) = dotted_quad(body)
            {
                return Ok(Kind::Address(self.take(len).to_owned()));
            }
            let text = self.take(sign + whole + 1 + fraction);
            return decimal(text)
                .ok_or_else(|| ScriptError::wrong(line, format!("{text} is too large")));
        }
        if word > whole && sign == 0 {
            let text = self.take(word);
            if let Some(hex) = text.strip_prefix("0x") {
                let value = i64::from_str_radix(hex, 16);
                return value.map(Kind::Hex).map_err(|_| {
                    ScriptError::wrong(line, format!("{text} is no hexadecimal number of 63 bits"))
                });
            }
            return self.word(text);
        }
        if whole > 0 {
            let text = self.take(sign + whole);
            let value = text.parse();
            return value
                .map(Kind::Integer)
                .map_err(|_| ScriptError::wrong(line, format!("{text} is too large")));
        }
        Ok(Kind::Symbol(self.symbol()))
    }

    fn word(&self, word: &str) -> Result<Kind, ScriptError> {
        let Some(value) = self.defines.get(word) else { return Ok(Kind::Word(word.to_owned())) };
        let within =
            |quote: char| value.strip_prefix(quote)?.strip_suffix(quote).map(str::to_owned);
        if let Some(text) = within('"') {
            return Ok(Kind::Text(text));
        }
        if let Some(command) = within('`') {
            return Ok(Kind::Command(command));
        }
        let hex = value.strip_prefix("0x").and_then(|hex| i64::from_str_radix(hex, 16).ok());
        Ok(match hex.or_else(|| value.parse().ok()) {
            Some(number) => Kind::Integer(number),
            None => Kind::Word(value.clone()),
        })
    }
}

/// The length of an IPv4 address at the beginning of a text.
fn dotted_quad(text: &str) -> Option<usize> {
    let len = text.find(|symbol: char| !symbol.is_ascii_digit() && symbol != '.');
    let candidate = &text[..len.unwrap_or(text.len())];
    let parts = candidate.split('.');
    let is_quad = parts.clone().count() == 4 && parts.clone().all(|part| !part.is_empty());
    is_quad.then_some(candidate.len())
}

/// A decimal number as billionths; digits beyond the ninth are cut off.
fn decimal(text: &str) -> Option<Kind> {
    let (negative, body) = match text.strip_prefix('-') {
        Some(body) => (true, body),
        None => (false, text),
    };
    let (whole, fraction) = body.split_once('.')?;
    let whole: i64 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    let fraction = &fraction[..fraction.len().min(9)];
    let billionths: i64 = format!("{fraction:0<9}").parse().ok()?;
    let nanos = whole.checked_mul(1_000_000_000)?.checked_add(billionths)?;
    Some(Kind::Decimal { nanos: if negative { -nanos } else { nanos }, text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        let words = words(text, &BTreeMap::new()).unwrap();
        words.into_iter().map(|token| token.kind).collect()
    }

    #[test]
    fn a_time_with_an_end_is_three_words() {
        let nanos = |nanos, text: &str| Kind::Decimal { nanos, text: text.to_owned() };
        let expected = [
            Kind::Symbol('+'),
            nanos(100_000_000, ".1"),
            Kind::Ellipsis,
            nanos(200_000_000, "0.200"),
        ];
        assert_eq!(kinds("+.1...0.200"), expected);
        assert_eq!(
            kinds("+0...1"),
            [Kind::Symbol('+'), Kind::Integer(0), Kind::Ellipsis, Kind::Integer(1)]
        );
    }

    #[test]
    fn flags_sequence_numbers_and_addresses_are_told_apart() {
        let word = |word: &str| Kind::Word(word.to_owned());
        assert_eq!(kinds("S."), [word("S"), Kind::Symbol('.')]);
        assert_eq!(kinds("-"), [Kind::Symbol('-')]);
        assert_eq!(kinds("-1 0x1f 3021b"), [Kind::Integer(-1), Kind::Hex(31), word("3021b")]);
        assert_eq!(kinds("192.0.2.1"), [Kind::Address("192.0.2.1".to_owned())]);
        assert_eq!(kinds("1:1").len(), 3);
    }

    #[test]
    fn lines_are_counted_through_comments_commands_and_code() {
        let text = "/* a\nb */ `x\ny` // c\n%{ 1\n }% z";
        let words = words(text, &BTreeMap::new()).unwrap();
        let lines: Vec<u32> = words.iter().map(|token| token.line).collect();
        assert_eq!(lines, [2, 4, 5]);
    }

    #[test]
    fn what_has_no_end_is_told_with_its_line() {
        for text in ["\n\"a", "\n`a", "\n%{ a", "\n/* a", "\n--=3"] {
            assert_eq!(words(text, &BTreeMap::new()).unwrap_err().line(), 2, "{text:?}");
        }
    }

    #[test]
    fn defined_names_are_replaced() {
        let text = "--define=CC=\"reno\" --define=N=0x10 CC N M";
        assert_eq!(
            kinds(text)[2..],
            [Kind::Text("reno".to_owned()), Kind::Integer(16), Kind::Word("M".to_owned()),]
        );
    }
}
