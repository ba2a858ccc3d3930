//! System calls of scripts.

use super::error::ScriptError;
use super::lexer::Kind;
use super::parser::Parser;
use super::script::{Expr, Syscall};
use super::symbols::{errno_named, is_call};

/// How deep arguments may stand within each other.
const MAX_DEPTH: u32 = 16;

impl Parser {
    /// A call, after its time.
    pub(super) fn call(&mut self) -> Result<Syscall, ScriptError> {
        let mut end = None;
        if self.peek() == Some(&Kind::Ellipsis) {
            self.advance();
            end = Some(self.time()?);
        }
        let line = self.line();
        let name = self.word("the name of a call")?;
        if !is_call(&name) {
            return Err(ScriptError::wrong(line, format!("there is no call named {name}")));
        }
        self.expect('(')?;
        let mut arguments = Vec::new();
        if !self.eat(')') {
            arguments = self.expressions(0)?;
            self.expect(')')?;
        }
        self.expect('=')?;
        let result = self.expression(0)?;
        let mut errno = None;
        if let Some(Kind::Word(word)) = self.peek() {
            let word = word.clone();
            if errno_named(&word).is_none() {
                let why = format!("{word} is no error of the system");
                return Err(ScriptError::wrong(self.line(), why));
            }
            self.advance();
            errno = Some(word);
        }
        if self.eat('(') {
            while !self.eat(')') {
                if self.peek().is_none() {
                    return self.unexpected("')'");
                }
                self.advance();
            }
        }
        Ok(Syscall { end, name, arguments, result, errno })
    }

    fn expressions(&mut self, depth: u32) -> Result<Vec<Expr>, ScriptError> {
        let mut all = vec![self.expression(depth)?];
        while self.eat(',') {
            all.push(self.expression(depth)?);
        }
        Ok(all)
    }

    fn expression(&mut self, depth: u32) -> Result<Expr, ScriptError> {
        if depth > MAX_DEPTH {
            return Err(ScriptError::wrong(self.line(), "arguments are nested too deep"));
        }
        let mut left = self.operand(depth)?;
        // To the left, so that a chain of any length is as deep as it is written.
        let mut count = 0;
        while self.eat('|') {
            count += 1;
            if count > 64 {
                return Err(ScriptError::wrong(self.line(), "more than 64 operands of |"));
            }
            let right = self.operand(depth)?;
            left = Expr::Or(Box::new(left), Box::new(right));
        }
        Ok(left)
    }

    fn operand(&mut self, depth: u32) -> Result<Expr, ScriptError> {
        let Some(next) = self.peek().cloned() else { return self.unexpected("an argument") };
        match next {
            Kind::Ellipsis => {
                self.advance();
                Ok(Expr::Ellipsis)
            }
            Kind::Integer(value) | Kind::Hex(value) => {
                self.advance();
                Ok(Expr::Integer(value))
            }
            Kind::Text(_) => {
                let mut whole = String::new();
                while let Some(Kind::Text(part)) = self.peek() {
                    whole.push_str(part);
                    self.advance();
                }
                if self.peek() == Some(&Kind::Ellipsis) {
                    self.advance();
                }
                Ok(Expr::Text(whole))
            }
            Kind::Word(word) => {
                self.advance();
                if self.eat('(') {
                    let argument = self.expression(depth + 1)?;
                    self.expect(')')?;
                    return Ok(Expr::Function(word, Box::new(argument)));
                }
                Ok(Expr::Word(word))
            }
            Kind::Symbol('[') => {
                self.advance();
                if self.eat(']') {
                    return Ok(Expr::List(Vec::new()));
                }
                let all = self.expressions(depth + 1)?;
                self.expect(']')?;
                Ok(Expr::List(all))
            }
            Kind::Symbol('{') => {
                self.advance();
                let braced = self.braced(depth + 1)?;
                self.expect('}')?;
                Ok(braced)
            }
            _ => self.unexpected("an argument"),
        }
    }

    /// What stands between braces: `name=value` or `name(…)=value`, or values alone.
    fn braced(&mut self, depth: u32) -> Result<Expr, ScriptError> {
        if !self.is_field() {
            return Ok(Expr::Tuple(self.expressions(depth)?));
        }
        let mut fields = Vec::new();
        loop {
            let line = self.line();
            if !self.is_field() {
                return Err(ScriptError::wrong(line, "expected NAME=VALUE within the braces"));
            }
            let name = self.word("a name")?;
            if self.eat('(') {
                self.expression(depth)?;
                self.expect(')')?;
            }
            self.expect('=')?;
            fields.push((name, self.expression(depth)?));
            if !self.eat(',') {
                break;
            }
        }
        Ok(Expr::Struct(fields))
    }

    fn is_field(&self) -> bool {
        let is_equals = |ahead| self.peek_after(ahead) == Some(&Kind::Symbol('='));
        let is_size = self.peek_after(1) == Some(&Kind::Symbol('('))
            && self.peek_after(3) == Some(&Kind::Symbol(')'))
            && is_equals(4);
        matches!(self.peek(), Some(Kind::Word(_))) && (is_equals(1) || is_size)
    }
}
