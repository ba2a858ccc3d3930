//! What stands between `%{` and `}%`: the part of Python that scripts use.
//!
//! Statements are `assert CONDITION[, MESSAGE]`, `print(…)`, `NAME = VALUE`, `NAME += VALUE` (and the
//! other operators), each on a line of its own or after `;`. Names keep their values until the end
//! of the script. There are no loops, no functions and no `if`.

use std::collections::BTreeMap;

use super::code_parser::{Expression, Statement, statements};
use super::error::Stop;
use super::info::Fields;
use super::value::{Value, binary, negate};
use crate::net::socket::Socket;

/// The longest text that a script may print.
const MAX_PRINTED: usize = 1 << 16;
/// Names that a script may give.
const MAX_NAMES: usize = 1_000;

/// The names that code has given values.
#[derive(Debug, Default)]
pub(super) struct Code {
    names: BTreeMap<String, Value>,
}

impl Code {
    /// Runs a piece of code; `socket` is the one whose `tcpi_…` it may ask for. Returns what it has
    /// printed.
    pub(super) fn run(&mut self, text: &str, socket: Option<&Socket>) -> Result<String, Stop> {
        let statements = statements(text).map_err(failed)?;
        let mut world = World { names: &self.names, socket, fields: None };
        let mut printed = String::new();
        let mut given = BTreeMap::new();
        for statement in &statements {
            match statement {
                Statement::Assert(condition, message) => {
                    if !world.value(condition)?.is_true() {
                        let message = match message {
                            Some(message) => world.value(message)?.to_string(),
                            None => String::new(),
                        };
                        let colon = if message.is_empty() { "" } else { ": " };
                        return Err(failed(format!("AssertionError{colon}{message}")));
                    }
                }
                Statement::Print(values) => {
                    let texts: Result<Vec<String>, Stop> = values
                        .iter()
                        .map(|value| world.value(value).map(|value| value.to_string()))
                        .collect();
                    printed.push_str(&texts?.join(" "));
                    printed.push('\n');
                    if printed.len() > MAX_PRINTED {
                        return Err(failed("more than 64 KiB are printed"));
                    }
                }
                Statement::Set(name, operator, expression) => {
                    let mut value = world.value(expression)?;
                    if let Some(operator) = operator {
                        let before = world.value(&Expression::Name(name.clone()))?;
                        value = binary(operator, &before, &value).map_err(failed)?;
                    }
                    given.insert(name.clone(), value.clone());
                    self.names.insert(name.clone(), value);
                    if self.names.len() > MAX_NAMES {
                        return Err(failed("more than 1000 names have values"));
                    }
                    world = World { names: &self.names, socket, fields: None };
                }
                Statement::Value(expression) => drop(world.value(expression)?),
            }
        }
        Ok(printed)
    }
}

fn failed(why: impl Into<String>) -> Stop {
    Stop::Failed(format!("error executing code: {}", why.into()))
}

/// What names stand for while a piece of code runs.
struct World<'w> {
    names: &'w BTreeMap<String, Value>,
    socket: Option<&'w Socket>,
    /// Asked for when the first of them is.
    fields: Option<Fields>,
}

impl World<'_> {
    fn name(&mut self, name: &str) -> Result<Value, Stop> {
        if let Some(value) = self.names.get(name) {
            return Ok(value.clone());
        }
        if let Some(value) = super::info::constant(name) {
            return Ok(Value::Integer(value));
        }
        if name.starts_with("tcpi_") {
            if self.fields.is_none() {
                let socket = self.socket.ok_or_else(|| failed("there is no socket to ask"))?;
                self.fields = Some(Fields::of(socket)?);
            }
            let value = self.fields.as_ref().and_then(|fields| fields.get(name));
            return value
                .map(Value::Integer)
                .ok_or_else(|| failed(format!("there is no {name} in TCP_INFO")));
        }
        Err(failed(format!("NameError: name '{name}' is not defined")))
    }

    fn value(&mut self, expression: &Expression) -> Result<Value, Stop> {
        match expression {
            Expression::Value(value) => Ok(value.clone()),
            Expression::Name(name) => self.name(name),
            Expression::Negative(inner) => negate(&self.value(inner)?).map_err(failed),
            Expression::Inverted(inner) => match self.value(inner)? {
                Value::Integer(value) => Ok(Value::Integer(!value)),
                other => Err(failed(format!("~ of {other}"))),
            },
            Expression::Not(inner) => Ok(Value::bool(!self.value(inner)?.is_true())),
            Expression::And(left, right) => {
                let left = self.value(left)?;
                if left.is_true() { self.value(right) } else { Ok(left) }
            }
            Expression::Or(left, right) => {
                let left = self.value(left)?;
                if left.is_true() { Ok(left) } else { self.value(right) }
            }
            Expression::Binary(operator, left, right) => {
                let (left, right) = (self.value(left)?, self.value(right)?);
                binary(operator, &left, &right).map_err(failed)
            }
            Expression::Comparison(first, rest) => {
                let mut left = self.value(first)?;
                for (operator, right) in rest {
                    let right = self.value(right)?;
                    if !left.compare(operator, &right).map_err(failed)? {
                        return Ok(Value::bool(false));
                    }
                    left = right;
                }
                Ok(Value::bool(true))
            }
            Expression::Tuple(values) => {
                let values: Result<Vec<Value>, Stop> =
                    values.iter().map(|value| self.value(value)).collect();
                Ok(Value::Tuple(values?))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Result<String, Stop> {
        Code::default().run(text, None)
    }

    #[test]
    fn assertions_are_evaluated_as_python_does() {
        for text in [
            "assert 1 + 2 * 3 == 7",
            "assert 1 < 2 <= 2 and not 3 < 2 < 4",
            "assert (1 == 2) or 5 // 2 == 2; assert -7 // 2 == -4 and -7 % 3 == 2",
            "assert 0x10 | 1 == 17, 'message'",
            "assert 7 / 2 == 3.5 and 1e3 == 1000",
            "a = 5\na += 2 # a comment\nassert a == 7, \\\n  a",
            "assert (1\n + 1) == 2",
            "assert 'x%dy%s' % (1, 'z') == 'x1yz'",
            "assert ~0 == -1 and 1 << 4 == 16 and 6 & 3 == 2 and 6 ^ 3 == 5",
        ] {
            assert_eq!(run(text), Ok(String::new()), "{text}");
        }
    }

    #[test]
    fn an_assertion_that_fails_tells_its_message() {
        let why = |text| match run(text) {
            Err(Stop::Failed(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(
            why("assert 1 == 2, 'srtt=%d us' % 7"),
            "error executing code: AssertionError: srtt=7 us"
        );
        assert_eq!(why("assert x"), "error executing code: NameError: name 'x' is not defined");
        assert!(why("assert 1 // 0").contains("by zero"));
        assert!(why("while True: pass").contains("while"));
    }

    #[test]
    fn print_gives_what_it_is_given() {
        assert_eq!(run("print(1, 'a', 2 == 2)").unwrap(), "1 a True\n");
    }

    #[test]
    fn names_keep_their_values() {
        let mut code = Code::default();
        code.run("cwnd = 58", None).unwrap();
        code.run("cwnd += 1; assert cwnd == 59", None).unwrap();
    }
}
