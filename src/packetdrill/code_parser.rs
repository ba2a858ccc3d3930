//! Code from its text.

use super::value::Value;

/// How deep expressions may stand within each other.
const MAX_DEPTH: u32 = 32;
/// How many operators may stand in a row.
const MAX_CHAIN: u32 = 100;

/// An expression of code.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expression {
    Value(Value),
    Name(String),
    Negative(Box<Expression>),
    Inverted(Box<Expression>),
    Not(Box<Expression>),
    And(Box<Expression>, Box<Expression>),
    Or(Box<Expression>, Box<Expression>),
    Binary(&'static str, Box<Expression>, Box<Expression>),
    /// `a <= b < c`
    Comparison(Box<Expression>, Vec<(&'static str, Expression)>),
    Tuple(Vec<Expression>),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Statement {
    Assert(Expression, Option<Expression>),
    Print(Vec<Expression>),
    /// A name, the operator of `+=` and the like, and the value.
    Set(String, Option<&'static str>, Expression),
    Value(Expression),
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Name(String),
    Value(Value),
    Operator(&'static str),
    /// The end of a statement.
    End,
}

const OPERATORS: [&str; 34] = [
    "//=", "<<=", ">>=", "==", "!=", "<=", ">=", "<<", ">>", "//", "+=", "-=", "*=", "/=", "%=",
    "|=", "&=", "^=", "+", "-", "*", "/", "%", "|", "&", "^", "~", "<", ">", "=", "(", ")", ",",
    ":",
];

/// Words with which Python's other statements begin.
const OTHER_STATEMENTS: [&str; 12] = [
    "class", "def", "del", "for", "from", "global", "if", "import", "raise", "try", "while", "with",
];

/// Reads the statements of a piece of code.
pub(super) fn statements(text: &str) -> Result<Vec<Statement>, String> {
    let mut parser = Parser { tokens: tokens(text)?, at: 0 };
    let mut statements = Vec::new();
    while parser.at < parser.tokens.len() {
        if parser.tokens[parser.at] == Token::End {
            parser.at += 1;
            continue;
        }
        if let Token::Name(name) = &parser.tokens[parser.at]
            && OTHER_STATEMENTS.contains(&name.as_str())
        {
            return Err(format!(
                "'{name}' is not understood: a statement is an assert, a print or an assignment"
            ));
        }
        statements.push(parser.statement()?);
        match parser.tokens.get(parser.at) {
            None | Some(Token::End) => {}
            Some(other) => return Err(format!("SyntaxError: {}", describe(other))),
        }
    }
    Ok(statements)
}

fn describe(token: &Token) -> String {
    match token {
        Token::Name(name) => format!("'{name}' is not understood here"),
        Token::Value(value) => format!("'{value}' is not understood here"),
        Token::Operator(operator) => format!("'{operator}' is not understood here"),
        Token::End => "a statement is not complete".to_owned(),
    }
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut tokens = Vec::new();
    let mut depth = 0_u32;
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let mut len = first.len_utf8();
        match first {
            '\\' if rest[1..].starts_with('\n') => len = 2,
            '\n' if depth > 0 => {}
            '\n' | ';' => tokens.push(Token::End),
            _ if first.is_whitespace() => {}
            '#' => len = rest.find('\n').unwrap_or(rest.len()),
            '\'' | '"' => {
                let end = rest[1..].find(first).ok_or("SyntaxError: a text has no end")?;
                tokens.push(Token::Value(Value::Text(rest[1..=end].to_owned())));
                len = end + 2;
            }
            _ if first.is_ascii_digit() => {
                let (number, digits) = number(rest)?;
                tokens.push(Token::Value(number));
                len = digits;
            }
            _ if first.is_ascii_alphabetic() || first == '_' => {
                let is_end = |symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '_';
                len = rest.find(is_end).unwrap_or(rest.len());
                tokens.push(Token::Name(rest[..len].to_owned()));
            }
            _ => {
                let operator = OPERATORS.iter().find(|operator| rest.starts_with(**operator));
                let operator = operator
                    .ok_or_else(|| format!("SyntaxError: '{first}' is not understood here"))?;
                match *operator {
                    "(" => depth += 1,
                    ")" => depth = depth.saturating_sub(1),
                    _ => {}
                }
                tokens.push(Token::Operator(operator));
                len = operator.len();
            }
        }
        rest = &rest[len..];
    }
    Ok(tokens)
}

fn number(text: &str) -> Result<(Value, usize), String> {
    let wrong = |text: &str| format!("SyntaxError: {text} is no number");
    if let Some(hex) = text.strip_prefix("0x") {
        let len = hex.find(|symbol: char| !symbol.is_ascii_hexdigit()).unwrap_or(hex.len());
        let value = i128::from_str_radix(&hex[..len], 16).map_err(|_| wrong(&hex[..len]))?;
        return Ok((Value::Integer(value), len + 2));
    }
    let is_end = |symbol: char| !symbol.is_ascii_alphanumeric() && symbol != '.';
    let len = text.find(is_end).unwrap_or(text.len());
    let text = &text[..len];
    let value = match text.contains(['.', 'e', 'E']) {
        true => text.parse().map(Value::Float).map_err(|_| wrong(text))?,
        false => text.parse().map(Value::Integer).map_err(|_| wrong(text))?,
    };
    Ok((value, len))
}

struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

/// Operators by how tightly they bind, the loosest first.
const LEVELS: [&[&str]; 6] =
    [&["|"], &["^"], &["&"], &["<<", ">>"], &["+", "-"], &["*", "/", "//", "%"]];
const COMPARISONS: [&str; 6] = ["==", "!=", "<=", ">=", "<", ">"];
const ASSIGNMENTS: [(&str, &str); 11] = [
    ("//=", "//"),
    ("<<=", "<<"),
    (">>=", ">>"),
    ("+=", "+"),
    ("-=", "-"),
    ("*=", "*"),
    ("/=", "/"),
    ("%=", "%"),
    ("|=", "|"),
    ("&=", "&"),
    ("^=", "^"),
];

impl Parser {
    fn statement(&mut self) -> Result<Statement, String> {
        if let Some(Token::Name(name)) = self.tokens.get(self.at) {
            let name = name.clone();
            let next = self.tokens.get(self.at + 1).cloned();
            match (name.as_str(), &next) {
                ("assert", _) => {
                    self.at += 1;
                    let condition = self.expression(0)?;
                    let message = if self.eat(",") { Some(self.expression(0)?) } else { None };
                    return Ok(Statement::Assert(condition, message));
                }
                ("print", Some(Token::Operator("("))) => {
                    self.at += 2;
                    let mut values = Vec::new();
                    while !self.eat(")") {
                        values.push(self.expression(0)?);
                        if !self.eat(",") && self.peek() != Some(&Token::Operator(")")) {
                            return Err(self.unexpected());
                        }
                    }
                    return Ok(Statement::Print(values));
                }
                (_, Some(Token::Operator("="))) => {
                    self.at += 2;
                    return Ok(Statement::Set(name, None, self.expression(0)?));
                }
                (_, Some(Token::Operator(assignment))) => {
                    let known = ASSIGNMENTS.iter().find(|(known, _)| known == assignment);
                    if let Some((_, operator)) = known {
                        self.at += 2;
                        return Ok(Statement::Set(name, Some(operator), self.expression(0)?));
                    }
                }
                _ => {}
            }
        }
        Ok(Statement::Value(self.expression(0)?))
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn eat(&mut self, operator: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token::Operator(next)) if *next == operator);
        self.at += usize::from(is_there);
        is_there
    }

    fn eat_name(&mut self, name: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Token::Name(next)) if next == name);
        self.at += usize::from(is_there);
        is_there
    }

    fn unexpected(&self) -> String {
        let what = self.peek().map_or("a statement is not complete".to_owned(), describe);
        format!("SyntaxError: {what}")
    }

    fn expression(&mut self, depth: u32) -> Result<Expression, String> {
        if depth > MAX_DEPTH {
            return Err("SyntaxError: nested too deep".to_owned());
        }
        let mut left = self.conjunction(depth)?;
        let mut chain = 0;
        while self.eat_name("or") {
            chain = longer(chain)?;
            left = Expression::Or(Box::new(left), Box::new(self.conjunction(depth)?));
        }
        Ok(left)
    }

    fn conjunction(&mut self, depth: u32) -> Result<Expression, String> {
        let mut left = self.negation(depth)?;
        let mut chain = 0;
        while self.eat_name("and") {
            chain = longer(chain)?;
            left = Expression::And(Box::new(left), Box::new(self.negation(depth)?));
        }
        Ok(left)
    }

    fn negation(&mut self, depth: u32) -> Result<Expression, String> {
        let mut nots = 0;
        while self.eat_name("not") {
            nots = longer(nots)?;
        }
        let mut inner = self.comparison(depth)?;
        for _ in 0..nots {
            inner = Expression::Not(Box::new(inner));
        }
        Ok(inner)
    }

    fn comparison(&mut self, depth: u32) -> Result<Expression, String> {
        let first = self.binary(0, depth)?;
        let mut rest = Vec::new();
        while let Some(Token::Operator(next)) = self.peek()
            && let Some(operator) = COMPARISONS.iter().find(|known| *known == next)
        {
            self.at += 1;
            rest.push((*operator, self.binary(0, depth)?));
        }
        match rest.is_empty() {
            true => Ok(first),
            false => Ok(Expression::Comparison(Box::new(first), rest)),
        }
    }

    fn binary(&mut self, level: usize, depth: u32) -> Result<Expression, String> {
        let Some(operators) = LEVELS.get(level) else { return self.unary(depth) };
        let mut left = self.binary(level + 1, depth)?;
        let mut chain = 0;
        while let Some(Token::Operator(next)) = self.peek()
            && let Some(operator) = operators.iter().find(|known| *known == next)
        {
            chain = longer(chain)?;
            self.at += 1;
            let right = self.binary(level + 1, depth)?;
            left = Expression::Binary(operator, Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn unary(&mut self, depth: u32) -> Result<Expression, String> {
        if depth > MAX_DEPTH {
            return Err("SyntaxError: nested too deep".to_owned());
        }
        if self.eat("-") {
            return Ok(Expression::Negative(Box::new(self.unary(depth + 1)?)));
        }
        if self.eat("+") {
            return self.unary(depth + 1);
        }
        if self.eat("~") {
            return Ok(Expression::Inverted(Box::new(self.unary(depth + 1)?)));
        }
        if self.eat("(") {
            let first = self.expression(depth + 1)?;
            if self.eat(")") {
                return Ok(first);
            }
            let mut values = vec![first];
            while self.eat(",") {
                if self.peek() == Some(&Token::Operator(")")) {
                    break;
                }
                values.push(self.expression(depth + 1)?);
            }
            return if self.eat(")") {
                Ok(Expression::Tuple(values))
            } else {
                Err(self.unexpected())
            };
        }
        let token = self.peek().cloned();
        self.at += 1;
        match token {
            Some(Token::Value(value)) => Ok(Expression::Value(value)),
            Some(Token::Name(name)) => Ok(match name.as_str() {
                "True" => Expression::Value(Value::Boolean(true)),
                "False" => Expression::Value(Value::Boolean(false)),
                "None" => Expression::Value(Value::None),
                "while" | "for" | "if" | "def" | "import" | "class" | "lambda" | "in" | "is"
                | "else" | "elif" | "from" | "try" | "with" | "return" | "and" | "or" | "not" => {
                    return Err(format!("SyntaxError: '{name}' is not understood here"));
                }
                _ => Expression::Name(name),
            }),
            _ => {
                self.at -= 1;
                Err(self.unexpected())
            }
        }
    }
}

fn longer(chain: u32) -> Result<u32, String> {
    match chain < MAX_CHAIN {
        true => Ok(chain + 1),
        false => Err("SyntaxError: more than 100 operators in a row".to_owned()),
    }
}
