//! Scripts from words: packetdrill's `parser.y`, but for packets and calls.

use std::collections::BTreeMap;

use super::config::Settings;
use super::error::ScriptError;
use super::lexer::{Kind, Token, words};
use super::script::{Action, Command, Event, Script, Time, Way};

/// The longest script, in bytes.
const MAX_SCRIPT: usize = 1 << 20;
/// The latest time that a script may name: a day.
const MAX_TIME: u64 = 86_400_000_000_000;

impl Script {
    /// Understands a script, which errors call `name`. Words in `defines` stand for what they are
    /// mapped to, as with packetdrill's `-D`.
    ///
    /// # Errors
    /// The first line that is not understood; nothing is left out.
    pub fn parse_with(
        name: &str,
        text: &str,
        defines: &BTreeMap<String, String>,
    ) -> Result<Script, ScriptError> {
        if text.len() > MAX_SCRIPT {
            return Err(ScriptError::wrong(1, "a script has at most 1 MiB"));
        }
        Parser { tokens: words(text, defines)?, at: 0 }.script(name)
    }

    /// [`parse_with`](Script::parse_with) without defines.
    ///
    /// # Errors
    /// Those of [`parse_with`](Script::parse_with).
    ///
    /// ```
    /// use glassnet::packetdrill::Script;
    ///
    /// let text = "0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3\n+0 warp(3) = 0";
    /// let error = Script::parse("warp.pkt", text).unwrap_err();
    /// assert_eq!(error.to_string(), "line 2: there is no call named warp");
    /// ```
    pub fn parse(name: &str, text: &str) -> Result<Script, ScriptError> {
        Script::parse_with(name, text, &BTreeMap::new())
    }

    /// How errors call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// Goes through the words.
pub(super) struct Parser {
    tokens: Vec<Token>,
    at: usize,
}

impl Parser {
    fn script(mut self, name: &str) -> Result<Script, ScriptError> {
        let mut settings = Settings::default();
        while let Some(Kind::Option { name, value }) = self.peek().cloned() {
            let line = self.line();
            self.at += 1;
            settings.set(&name, value.as_deref()).map_err(|why| ScriptError::wrong(line, why))?;
        }
        let init = self.command();
        let mut events: Vec<Event> = Vec::new();
        let mut cleanup = None;
        while self.peek().is_some() {
            if let Some(command) = self.command() {
                cleanup = Some(command);
                if self.peek().is_some() {
                    return self.unexpected("nothing after the last command, which has no time");
                }
                break;
            }
            let event = self.event()?;
            if let Some(last) = events.last() {
                check_order(last, &event)?;
            } else if !matches!(
                event.time,
                Time::Absolute { from: 0, .. } | Time::Relative { from: 0, .. }
            ) {
                return Err(ScriptError::wrong(event.line, "first event should be at time 0"));
            }
            events.push(event);
        }
        if events.is_empty() {
            return Err(ScriptError::wrong(self.line(), "a script has at least one event"));
        }
        Ok(Script { name: name.to_owned(), settings, init, events, cleanup })
    }

    fn command(&mut self) -> Option<Command> {
        let Some(Kind::Command(text)) = self.peek() else { return None };
        let command = Command { line: self.line(), text: text.clone() };
        self.at += 1;
        Some(command)
    }

    fn event(&mut self) -> Result<Event, ScriptError> {
        let line = self.line();
        let time = self.event_time()?;
        let action = match self.peek() {
            Some(Kind::Symbol('<')) => Action::Packet(self.packet(Way::In)?),
            Some(Kind::Symbol('>')) => Action::Packet(self.packet(Way::Out)?),
            Some(Kind::Command(text)) => {
                let text = text.clone();
                self.at += 1;
                Action::Command(text)
            }
            Some(Kind::Code(text)) => {
                let text = text.clone();
                self.at += 1;
                Action::Code(text)
            }
            Some(Kind::Word(_) | Kind::Ellipsis) => Action::Call(self.call()?),
            _ => return self.unexpected("a packet, a call, a command or code"),
        };
        let is_outbound = matches!(&action, Action::Packet(packet) if packet.way == Way::Out);
        match time {
            Time::Any if !is_outbound => {
                Err(ScriptError::wrong(line, "the time * can only be used with outbound packets"))
            }
            Time::Absolute { to: Some(_), .. } | Time::Relative { to: Some(_), .. }
                if !is_outbound =>
            {
                let why = "a range of times can only be used with outbound packets";
                Err(ScriptError::wrong(line, why))
            }
            Time::Absolute { from, to: Some(to) } | Time::Relative { from, to: Some(to) }
                if to < from =>
            {
                Err(ScriptError::wrong(line, "time range is backwards"))
            }
            _ => Ok(Event { line, time, action }),
        }
    }

    fn event_time(&mut self) -> Result<Time, ScriptError> {
        if self.eat('*') {
            return Ok(Time::Any);
        }
        if self.eat('+') {
            let from = self.time()?;
            let mut to = None;
            if self.eat('~') {
                self.expect('+')?;
                to = Some(self.time()?);
            }
            return Ok(Time::Relative { from, to });
        }
        let from = self.time()?;
        let to = if self.eat('~') { Some(self.time()?) } else { None };
        Ok(Time::Absolute { from, to })
    }

    /// A time in seconds, as nanoseconds.
    pub(super) fn time(&mut self) -> Result<u64, ScriptError> {
        let line = self.line();
        let nanos = match self.peek() {
            Some(Kind::Integer(seconds)) => seconds.checked_mul(1_000_000_000),
            Some(Kind::Decimal { nanos, .. }) => Some(*nanos),
            _ => return self.unexpected("a time"),
        };
        self.at += 1;
        let nanos = nanos.and_then(|nanos| u64::try_from(nanos).ok());
        nanos.filter(|nanos| *nanos <= MAX_TIME).ok_or_else(|| {
            ScriptError::wrong(line, "a time is between 0 and a day (86400 seconds)")
        })
    }

    // ---- Words ------------------------------------------------------------------------------

    pub(super) fn peek(&self) -> Option<&Kind> {
        self.peek_after(0)
    }

    /// The word after so many others.
    pub(super) fn peek_after(&self, ahead: usize) -> Option<&Kind> {
        self.tokens.get(self.at + ahead).map(|token| &token.kind)
    }

    /// The line of the next word, or of the last one at the end.
    pub(super) fn line(&self) -> u32 {
        self.tokens.get(self.at).or(self.tokens.last()).map_or(1, |token| token.line)
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
    }

    pub(super) fn eat(&mut self, symbol: char) -> bool {
        let is_there = self.peek() == Some(&Kind::Symbol(symbol));
        self.at += usize::from(is_there);
        is_there
    }

    pub(super) fn eat_word(&mut self, word: &str) -> bool {
        let is_there = matches!(self.peek(), Some(Kind::Word(next)) if next == word);
        self.at += usize::from(is_there);
        is_there
    }

    pub(super) fn expect(&mut self, symbol: char) -> Result<(), ScriptError> {
        if self.eat(symbol) { Ok(()) } else { self.unexpected(&format!("'{symbol}'")) }
    }

    pub(super) fn word(&mut self, what: &str) -> Result<String, ScriptError> {
        let Some(Kind::Word(word)) = self.peek() else { return self.unexpected(what) };
        let word = word.clone();
        self.at += 1;
        Ok(word)
    }

    /// A number from 0 to `max`.
    pub(super) fn number(&mut self, what: &str, max: u32) -> Result<u32, ScriptError> {
        let line = self.line();
        let (Some(Kind::Integer(value)) | Some(Kind::Hex(value))) = self.peek() else {
            return self.unexpected(what);
        };
        let number = u32::try_from(*value).ok().filter(|value| *value <= max);
        self.at += 1;
        number.ok_or_else(|| ScriptError::wrong(line, format!("{what} out of range")))
    }

    pub(super) fn unexpected<T>(&self, expected: &str) -> Result<T, ScriptError> {
        let found = self.peek().map_or("the end".to_owned(), Kind::describe);
        Err(ScriptError::wrong(self.line(), format!("expected {expected}, found {found}")))
    }
}

fn check_order(last: &Event, event: &Event) -> Result<(), ScriptError> {
    match (last.time, event.time) {
        (Time::Absolute { from: before, .. }, Time::Absolute { from, .. }) if from < before => {
            Err(ScriptError::wrong(event.line, "time goes backward in script"))
        }
        _ => Ok(()),
    }
}
