//! Packets of scripts.

use super::error::ScriptError;
use super::lexer::Kind;
use super::parser::Parser;
use super::script::{Body, Echoed, Flags, Icmp, IpInfo, Packet, Tcp, Tos, Way};
use crate::peer::TcpOption;

/// Bytes of options that fit.
const MAX_OPTIONS: usize = 40;

impl Parser {
    pub(super) fn packet(&mut self, way: Way) -> Result<Packet, ScriptError> {
        self.advance();
        if let Some(Kind::Word(word)) = self.peek()
            && ["ipv4", "ipv6", "gre", "GREv0", "mpls"].contains(&word.as_str())
        {
            let why = format!("packets within {word} are not simulated");
            return Err(ScriptError::unsupported(self.line(), why));
        }
        let ip = self.ip_info(way)?;
        if self.eat_word("encap") {
            return Err(ScriptError::unsupported(self.line(), "PSP is not simulated"));
        }
        if self.eat_word("icmp") {
            return Ok(Packet { way, ip, ports: None, body: Body::Icmp(self.icmp()?) });
        }
        if self.eat_word("udp") {
            let ports = self.ports()?;
            self.expect('(')?;
            let len = self.number("UDP payload size", 65_507)? as u16;
            self.expect(')')?;
            return Ok(Packet { way, ip, ports, body: Body::Udp { len } });
        }
        let ports = self.ports()?;
        let tcp = self.tcp(way)?;
        Ok(Packet { way, ip, ports, body: Body::Tcp(tcp) })
    }

    /// `[ect0]`, `(ttl 5)` and the like.
    fn ip_info(&mut self, way: Way) -> Result<IpInfo, ScriptError> {
        let close = match self.peek() {
            Some(Kind::Symbol('[')) => ']',
            Some(Kind::Symbol('(')) => ')',
            _ => return Ok(IpInfo::default()),
        };
        self.advance();
        let line = self.line();
        let mut info = IpInfo::default();
        loop {
            let word = self.word("ECN, tos, ttl or flowlabel")?;
            match word.as_str() {
                "noecn" => info.tos = Tos::Ecn(0),
                "ect1" => info.tos = Tos::Ecn(1),
                "ect0" => info.tos = Tos::Ecn(2),
                "ce" => info.tos = Tos::Ecn(3),
                "ect01" if way == Way::In => {
                    let why = "[ect01] can only be used with outbound packets";
                    return Err(ScriptError::wrong(line, why));
                }
                "ect01" => info.tos = Tos::AnyEct,
                "tos" => info.tos = Tos::Whole(self.number("tos", 255)? as u8),
                "ttl" => info.ttl = Some(self.number("ttl", 255)? as u8),
                "flowlabel" => {
                    return Err(ScriptError::unsupported(line, "flow labels are not simulated"));
                }
                _ => {
                    let why = format!("{word} is neither ECN, tos, ttl nor flowlabel");
                    return Err(ScriptError::wrong(line, why));
                }
            }
            if !self.eat(',') {
                break;
            }
        }
        self.expect(close)?;
        Ok(info)
    }

    /// `1234 > 80`
    fn ports(&mut self) -> Result<Option<(u16, u16)>, ScriptError> {
        let is_next = matches!(self.peek(), Some(Kind::Integer(_)))
            && self.peek_after(1) == Some(&Kind::Symbol('>'));
        if !is_next {
            return Ok(None);
        }
        let source = self.number("src port", 65_535)? as u16;
        self.expect('>')?;
        let destination = self.number("dst port", 65_535)? as u16;
        Ok(Some((source, destination)))
    }

    fn tcp(&mut self, way: Way) -> Result<Tcp, ScriptError> {
        let line = self.line();
        let flags = self.flags()?;
        let (seq, len) = self.sequence()?;
        let mut tcp =
            Tcp { flags, seq, len, ack: 0, window: None, urgent: 0, options: Some(Vec::new()) };
        if self.eat_word("ack") {
            tcp.ack = self.number("TCP ack sequence number", u32::MAX)?;
        }
        if self.eat_word("win") {
            tcp.window = Some(self.number("TCP window value", 65_535)? as u16);
        }
        if self.eat_word("urg") {
            tcp.urgent = self.number("urg_ptr value", 65_535)? as u16;
        }
        if way == Way::In && tcp.window.is_none() {
            return Err(ScriptError::wrong(line, "window must be specified for inbound packets"));
        }
        if self.eat('<') {
            tcp.options = self.options()?;
            if tcp.options.is_none() && way == Way::In {
                let why = "<...> for TCP options can only be used with outbound packets";
                return Err(ScriptError::wrong(line, why));
            }
        }
        Ok(tcp)
    }

    fn flags(&mut self) -> Result<Flags, ScriptError> {
        let line = self.line();
        if self.eat('-') {
            return Ok(Flags::default());
        }
        let mut text = match self.peek() {
            Some(Kind::Word(word)) => word.clone(),
            Some(Kind::Symbol('.')) => String::new(),
            Some(Kind::Decimal { text, .. }) if text.starts_with('.') => {
                return Err(ScriptError::unsupported(line, "AccECN is not simulated"));
            }
            _ => return self.unexpected("the flags of a TCP segment, udp or icmp"),
        };
        if !text.is_empty() {
            self.advance();
        }
        if let Some(Kind::Decimal { text, .. }) = self.peek()
            && text.starts_with('.')
        {
            return Err(ScriptError::unsupported(line, "AccECN is not simulated"));
        }
        if self.eat('.') {
            text.push('.');
        }
        let mut flags = Flags::default();
        for flag in text.chars() {
            match flag {
                '.' => flags.ack = true,
                'F' => flags.fin = true,
                'S' => flags.syn = true,
                'R' => flags.rst = true,
                'P' => flags.psh = true,
                'U' => flags.urg = true,
                'E' => flags.ece = true,
                'W' => flags.cwr = true,
                'A' | '0'..='7' => {
                    return Err(ScriptError::unsupported(line, "AccECN is not simulated"));
                }
                _ => {
                    let why = format!("Invalid TCP flag: '{flag}' in {text}");
                    return Err(ScriptError::wrong(line, why));
                }
            }
        }
        Ok(flags)
    }

    /// `1:1001(1000)`
    fn sequence(&mut self) -> Result<(u32, u16), ScriptError> {
        let line = self.line();
        let start = self.number("TCP start sequence number", u32::MAX)?;
        self.expect(':')?;
        let end = self.number("TCP end sequence number", u32::MAX)?;
        self.expect('(')?;
        let len = self.number("TCP payload size", 65_535)? as u16;
        self.expect(')')?;
        if start.checked_add(len.into()) != Some(end) {
            let why = "inconsistent TCP sequence numbers and payload size";
            return Err(ScriptError::wrong(line, why));
        }
        Ok((start, len))
    }

    /// The options after `<`; `None` for `...`.
    fn options(&mut self) -> Result<Option<Vec<TcpOption>>, ScriptError> {
        let line = self.line();
        if self.peek() == Some(&Kind::Ellipsis) {
            self.advance();
            self.expect('>')?;
            return Ok(None);
        }
        let mut options = Vec::new();
        loop {
            options.push(self.option()?);
            if !self.eat(',') {
                break;
            }
        }
        self.expect('>')?;
        let len: usize = options.iter().map(TcpOption::len).sum();
        if len > MAX_OPTIONS {
            return Err(ScriptError::wrong(line, "TCP option list too long"));
        }
        if !len.is_multiple_of(4) {
            let why = format!(
                "TCP options are not padded correctly to ensure TCP header is a multiple of 4 \
                 bytes: {} excess bytes",
                len % 4
            );
            return Err(ScriptError::wrong(line, why));
        }
        Ok(Some(options))
    }

    fn option(&mut self) -> Result<TcpOption, ScriptError> {
        let line = self.line();
        let word = self.word("a TCP option")?;
        Ok(match word.as_str() {
            "nop" => TcpOption::Nop,
            "eol" => TcpOption::End,
            "mss" => TcpOption::MaxSegmentSize(self.number("mss value", 65_535)? as u16),
            "wscale" => TcpOption::WindowScale(self.number("window scale shift count", 255)? as u8),
            "sackOK" => TcpOption::SackPermitted,
            "sack" => {
                let mut blocks = Vec::new();
                while blocks.is_empty() || matches!(self.peek(), Some(Kind::Integer(_))) {
                    let left = self.number("TCP SACK left sequence number", u32::MAX)?;
                    self.expect(':')?;
                    let right = self.number("TCP SACK right sequence number", u32::MAX)?;
                    blocks.push((left, right));
                }
                TcpOption::Sack(blocks)
            }
            "TS" => {
                if !self.eat_word("val") {
                    return self.unexpected("val");
                }
                let value = self.number("ts val", u32::MAX)?;
                if !self.eat_word("ecr") {
                    return self.unexpected("ecr");
                }
                TcpOption::Timestamps { value, echo: self.number("ecr val", u32::MAX)? }
            }
            "md5" => TcpOption::Other { kind: 19, data: self.hexadecimal(line)? },
            "FO" | "FOEXP" => {
                return Err(ScriptError::unsupported(line, "TCP Fast Open is not simulated"));
            }
            "ECN" => return Err(ScriptError::unsupported(line, "AccECN is not simulated")),
            _ => return Err(ScriptError::wrong(line, format!("{word} is no TCP option"))),
        })
    }

    /// Bytes in hexadecimal digits.
    fn hexadecimal(&mut self, line: u32) -> Result<Vec<u8>, ScriptError> {
        let digits = match self.peek() {
            Some(Kind::Word(word)) => word.clone(),
            Some(Kind::Integer(value)) => value.to_string(),
            _ => return self.unexpected("hexadecimal digits"),
        };
        self.advance();
        let bytes = digits.as_bytes().chunks(2).map(|pair| {
            let pair = std::str::from_utf8(pair).ok().filter(|pair| pair.len() == 2)?;
            u8::from_str_radix(pair, 16).ok()
        });
        let bytes: Option<Vec<u8>> = bytes.collect();
        bytes.filter(|bytes| bytes.len() <= MAX_OPTIONS).ok_or_else(|| {
            ScriptError::wrong(line, format!("{digits} is no valid string of hexadecimal bytes"))
        })
    }

    fn icmp(&mut self) -> Result<Icmp, ScriptError> {
        let kind = self.word("the type of an ICMP message")?;
        let mut icmp =
            Icmp { kind, code: None, mtu: None, id: 0, echoed: Echoed::Tcp { seq: 0, len: 0 } };
        if let Some(Kind::Word(word)) = self.peek()
            && !["mtu", "id"].contains(&word.as_str())
        {
            icmp.code = Some(word.clone());
            self.advance();
        }
        if self.eat_word("mtu") {
            icmp.mtu = Some(self.number("mtu", u32::MAX)?);
        }
        if self.eat_word("id") {
            icmp.id = self.number("id", 65_535)? as u16;
        }
        if self.eat('[') {
            if self.eat_word("raw") {
                let why = "raw payloads of ICMP are not simulated";
                return Err(ScriptError::unsupported(self.line(), why));
            }
            icmp.echoed = if self.eat_word("udp") {
                self.expect('(')?;
                let len = self.number("UDP payload size", 65_507)? as u16;
                self.expect(')')?;
                Echoed::Udp { len }
            } else {
                let (seq, len) = self.sequence()?;
                Echoed::Tcp { seq, len }
            };
            self.expect(']')?;
        }
        Ok(icmp)
    }
}
