//! Values of code, and what operators make of them.

use std::cmp::Ordering;
use std::fmt;

/// The longest text.
const MAX_TEXT: usize = 1 << 16;

/// A value of code. Integers have 128 bits; more is an error.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Integer(i128),
    Boolean(bool),
    Float(f64),
    Text(String),
    Tuple(Vec<Value>),
    None,
}

impl Value {
    pub(super) fn bool(value: bool) -> Value {
        Value::Boolean(value)
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Value::Integer(value) => *value != 0,
            Value::Boolean(value) => *value,
            Value::Float(value) => *value != 0.0,
            Value::Text(text) => !text.is_empty(),
            Value::Tuple(values) => !values.is_empty(),
            Value::None => false,
        }
    }

    fn integer(&self) -> Option<i128> {
        match self {
            Value::Integer(value) => Some(*value),
            Value::Boolean(value) => Some((*value).into()),
            _ => None,
        }
    }

    fn float(&self) -> Option<f64> {
        match self {
            Value::Float(value) => Some(*value),
            other => other.integer().map(|value| value as f64),
        }
    }

    /// Whether `self operator other` holds.
    pub(super) fn compare(&self, operator: &str, other: &Value) -> Result<bool, String> {
        let order = match (self, other) {
            (Value::Text(left), Value::Text(right)) => Some(left.cmp(right)),
            _ => match (self.integer(), other.integer()) {
                (Some(left), Some(right)) => Some(left.cmp(&right)),
                _ => match (self.float(), other.float()) {
                    (Some(left), Some(right)) => left.partial_cmp(&right),
                    _ => match operator {
                        "==" => return Ok(self == other),
                        "!=" => return Ok(self != other),
                        _ => return Err(format!("{self} and {other} have no order")),
                    },
                },
            },
        };
        Ok(match operator {
            "==" => order == Some(Ordering::Equal),
            "!=" => order != Some(Ordering::Equal),
            "<" => order == Some(Ordering::Less),
            "<=" => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            ">" => order == Some(Ordering::Greater),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        })
    }
}

impl fmt::Display for Value {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Integer(value) => write!(formatter, "{value}"),
            Value::Boolean(true) => formatter.write_str("True"),
            Value::Boolean(false) => formatter.write_str("False"),
            Value::Float(value) => write!(formatter, "{value:?}"),
            Value::Text(text) => formatter.write_str(text),
            Value::Tuple(values) => {
                let texts: Vec<String> = values.iter().map(Value::to_string).collect();
                write!(formatter, "({})", texts.join(", "))
            }
            Value::None => formatter.write_str("None"),
        }
    }
}

/// `-value`
pub(super) fn negate(value: &Value) -> Result<Value, String> {
    match (value.integer(), value) {
        (Some(integer), _) => integer.checked_neg().map(Value::Integer).ok_or_else(too_large),
        (None, Value::Float(float)) => Ok(Value::Float(-float)),
        _ => Err(format!("- of {value}")),
    }
}

fn too_large() -> String {
    "OverflowError: more than 128 bits".to_owned()
}

/// `left operator right`
pub(super) fn binary(operator: &str, left: &Value, right: &Value) -> Result<Value, String> {
    if let Value::Text(text) = left {
        let text = match (operator, right) {
            ("%", _) => formatted(text, right)?,
            ("+", Value::Text(other)) => format!("{text}{other}"),
            _ => return Err(format!("{operator} of a text and {right}")),
        };
        let fits = text.len() <= MAX_TEXT;
        return fits.then_some(Value::Text(text)).ok_or_else(|| "a text is too long".to_owned());
    }
    if let (Some(left), Some(right)) = (left.integer(), right.integer())
        && operator != "/"
    {
        return of_integers(operator, left, right).map(Value::Integer);
    }
    let (Some(left), Some(right)) = (left.float(), right.float()) else {
        return Err(format!("{operator} of {left} and {right}"));
    };
    Ok(Value::Float(match operator {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" | "//" | "%" if right == 0.0 => return Err(by_zero()),
        "/" => left / right,
        "//" => (left / right).floor(),
        "%" => left - right * (left / right).floor(),
        _ => return Err(format!("{operator} of floats")),
    }))
}

fn by_zero() -> String {
    "ZeroDivisionError: division by zero".to_owned()
}

fn of_integers(operator: &str, left: i128, right: i128) -> Result<i128, String> {
    let floor = || {
        let quotient = left.checked_div(right)?;
        let is_below = left % right != 0 && (left < 0) != (right < 0);
        Some(quotient - i128::from(is_below))
    };
    let shift = || u32::try_from(right).ok().filter(|bits| *bits < 127);
    let value = match operator {
        "+" => left.checked_add(right),
        "-" => left.checked_sub(right),
        "*" => left.checked_mul(right),
        "//" | "%" if right == 0 => return Err(by_zero()),
        "//" => floor(),
        "%" => floor().and_then(|floor| left.checked_sub(floor.checked_mul(right)?)),
        "|" => Some(left | right),
        "&" => Some(left & right),
        "^" => Some(left ^ right),
        "<<" => shift().and_then(|bits| left.checked_mul(1_i128.checked_shl(bits)?)),
        ">>" => shift().map(|bits| left >> bits),
        _ => return Err(format!("{operator} is no operator")),
    };
    value.ok_or_else(too_large)
}

/// `text % values`: `%d`, `%i`, `%u`, `%x`, `%f`, `%s`, `%r` without flags and widths, and `%%`.
fn formatted(text: &str, values: &Value) -> Result<String, String> {
    let mut values: Vec<&Value> = match values {
        Value::Tuple(values) => values.iter().collect(),
        other => vec![other],
    };
    values.reverse();
    let mut result = String::new();
    let mut symbols = text.chars();
    while let Some(symbol) = symbols.next() {
        if symbol != '%' {
            result.push(symbol);
            continue;
        }
        let Some(kind) = symbols.next() else { return Err("% at the end of a text".to_owned()) };
        if kind == '%' {
            result.push('%');
            continue;
        }
        let value = values.pop().ok_or("not enough arguments for format string")?;
        let integer = || {
            let whole = value.integer();
            let cut = || value.float().map(|float| float as i128);
            whole.or_else(cut).ok_or_else(|| format!("%{kind} of {value}"))
        };
        match kind {
            'd' | 'i' | 'u' => result.push_str(&integer()?.to_string()),
            'x' => result.push_str(&format!("{:x}", integer()?)),
            'f' => {
                let float = value.float().ok_or_else(|| format!("%f of {value}"))?;
                result.push_str(&format!("{float:.6}"));
            }
            's' | 'r' => result.push_str(&value.to_string()),
            _ => return Err(format!("%{kind} is not understood")),
        }
        if result.len() > MAX_TEXT {
            return Err("a text is too long".to_owned());
        }
    }
    match values.is_empty() {
        true => Ok(result),
        false => Err("not all arguments converted during string formatting".to_owned()),
    }
}
