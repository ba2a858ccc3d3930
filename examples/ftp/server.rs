//! The server's side of FTP: the least that RFC 959, section 5.1, asks for, and PASS, PASV, LIST.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::rc::Rc;

use glassnet::net::{TcpListener, TcpStream};
use glassnet::spawn;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};

use crate::reply::address_from_numbers;
use crate::transfer::Data;

const CONTROL_PORT: u16 = 21;
const LONGEST_LINE: u64 = 512;

type Files = Rc<RefCell<BTreeMap<String, Vec<u8>>>>;
type Users = &'static [(&'static str, &'static str)];

pub(crate) async fn serve(files: &[(&str, Vec<u8>)], users: Users) -> glassnet::Result {
    let files = files.iter().map(|(name, file)| ((*name).to_owned(), file.clone()));
    let files: Files = Rc::new(RefCell::new(files.collect()));
    let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, CONTROL_PORT)).await?;
    loop {
        let (stream, _) = listener.accept().await?;
        let files = files.clone();
        spawn(async move {
            let session = Session {
                control: BufReader::new(stream),
                files,
                users,
                user: None,
                logged_in: false,
                ascii: true,
                data: None,
            };
            if let Err(error) = session.run().await {
                println!("a session ended with an error: {error}");
            }
        });
    }
}

pub(crate) struct Session {
    pub(crate) control: BufReader<TcpStream>,
    pub(crate) files: Files,
    users: Users,
    user: Option<String>,
    logged_in: bool,
    /// The type of what is sent: text with the network's line ends, or octets as they are.
    pub(crate) ascii: bool,
    /// How the next data connection comes about.
    pub(crate) data: Option<Data>,
}

impl Session {
    async fn run(mut self) -> io::Result<()> {
        self.reply("220 Thank you for connecting").await?;
        loop {
            let mut line = Vec::new();
            let mut limited = (&mut self.control).take(LONGEST_LINE);
            if limited.read_until(b'\n', &mut line).await? == 0 {
                return Ok(());
            }
            if !line.ends_with(b"\n") {
                // A line too long, or a connection that ended within one.
                return self.reply("500 Line too long").await;
            }
            let line = String::from_utf8_lossy(&line);
            let (command, argument) =
                line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
            let command = command.to_ascii_uppercase();
            if command == "QUIT" {
                return self.reply("221 Goodbye").await;
            }
            let answer = self.obey(&command, argument).await?;
            self.reply(&answer).await?;
        }
    }

    pub(crate) async fn reply(&mut self, reply: &str) -> io::Result<()> {
        self.control.write_all(format!("{reply}\r\n").as_bytes()).await
    }

    /// Does what the command says, and returns the last reply to it. An error is one of the
    /// control connection; what goes wrong with data is a reply.
    async fn obey(&mut self, command: &str, argument: &str) -> io::Result<String> {
        let reply = match (command, argument) {
            ("NOOP", _) => "200 Still here",
            ("USER", "") | ("PASS", "") => "501 Who?",
            ("USER", user) => {
                (self.user, self.logged_in) = (Some(user.to_owned()), false);
                "331 And the password?"
            }
            ("PASS", password) => {
                let Some(user) = self.user.take() else { return Ok("503 USER first".into()) };
                self.logged_in = self.users.contains(&(user.as_str(), password));
                if self.logged_in { "230 Welcome" } else { "530 Not logged in" }
            }
            ("TYPE" | "MODE" | "STRU" | "PASV" | "PORT" | "RETR" | "STOR" | "LIST", _)
                if !self.logged_in =>
            {
                "530 Not logged in"
            }
            ("TYPE", "A" | "A N" | "I") => {
                self.ascii = argument != "I";
                "200 So be it"
            }
            ("MODE", "S") | ("STRU", "F") => "200 So it is",
            ("TYPE" | "MODE" | "STRU", _) => "504 Not that one",
            ("PASV", _) => return self.listen().await,
            ("PORT", numbers) => match (address_from_numbers(numbers), self.peer()?) {
                (None, _) => "501 Six numbers are an address",
                // Else anybody could aim this host's connections at others (RFC 2577).
                (Some(to), peer) if IpAddr::V4(*to.ip()) != peer => "504 Only to yourself",
                (Some(to), _) => {
                    self.data = Some(Data::Active(to));
                    "200 I shall connect there"
                }
            },
            ("RETR", name) => {
                let file = self.files.borrow().get(name).cloned();
                let Some(file) = file else { return Ok("550 No such file".into()) };
                return self.send(file, self.ascii).await;
            }
            ("LIST", _) => return self.send(self.listing(), true).await,
            ("STOR", "") => "501 What name?",
            ("STOR", name) => return self.receive(name).await,
            _ => "502 Not here",
        };
        Ok(reply.to_owned())
    }

    /// As `ls -l` would print it, which is what clients expect.
    fn listing(&self) -> Vec<u8> {
        let files = self.files.borrow();
        let line = |(name, file): (&String, &Vec<u8>)| {
            format!("-rw-r--r-- 1 ftp ftp {:>8} Jan  1  2000 {name}\n", file.len())
        };
        files.iter().map(line).collect::<String>().into_bytes()
    }
}
