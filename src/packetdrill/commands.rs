//! Commands of the shell in scripts, and what they mean to a simulated host.

use super::error::{Step, Stop};
use super::sysctl;
use crate::host::HostOptions;

/// What commands can change before a host is made.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct System {
    pub(super) options: HostOptions,
    /// Whether commands that are not understood are left out.
    ignores_unknown: bool,
}

impl System {
    pub(super) fn new(options: HostOptions, ignores_unknown: bool) -> System {
        System { options, ignores_unknown }
    }

    /// Does what a text between back quotes says.
    pub(super) fn run(&mut self, text: &str) -> Step {
        for command in split(text) {
            let words: Vec<&str> = command.iter().map(String::as_str).collect();
            match self.command(&words) {
                Err(Stop::Failed(_) | Stop::Skipped(_)) if self.ignores_unknown => {}
                other => other?,
            }
        }
        Ok(())
    }

    fn command(&mut self, words: &[&str]) -> Step {
        let [name, arguments @ ..] = words else { return Ok(()) };
        let file = name.rsplit('/').next().unwrap_or(name);
        match file {
            "defaults.sh" => sysctl::defaults(&mut self.options),
            "set_sysctls.py" | "sysctl" => {
                let settings = arguments.iter().filter(|argument| !argument.starts_with('-'));
                for setting in settings {
                    let Some((name, value)) = setting.split_once('=') else {
                        return Stop::failed(format!("{setting} sets nothing"));
                    };
                    sysctl::set(&mut self.options, &sysctl_name(name), value)?;
                }
                Ok(())
            }
            // It sets back what set_sysctls.py has set; the host ends with the script.
            _ if file.starts_with("sysctl_restore_") => Ok(()),
            "echo" => match arguments {
                [value, ">", path] => sysctl::set(&mut self.options, &sysctl_name(path), value),
                _ => unknown(words),
            },
            "ip" => self.ip(words, arguments),
            // Nothing is paced, and nothing queues before the wire.
            "tc" => match arguments {
                ["qdisc", "add" | "replace" | "del" | "delete" | "change", rest @ ..]
                    if !rest.contains(&"limit") =>
                {
                    Ok(())
                }
                ["qdisc", ..] => Stop::skipped("a queue that drops packets is not simulated"),
                _ => unknown(words),
            },
            // Each segment is a packet of its own: a card neither cuts nor joins them.
            "ethtool" if arguments.first() == Some(&"-K") => Ok(()),
            _ => unknown(words),
        }
    }

    fn ip(&mut self, words: &[&str], arguments: &[&str]) -> Step {
        let arguments = match arguments {
            ["-4" | "-6", rest @ ..] => rest,
            all => all,
        };
        match arguments {
            // There are no metrics of earlier connections.
            ["tcp_metrics", "flush", ..] => Ok(()),
            ["link", "set", "dev", _, "mtu", mtu] | ["link", "set", _, "mtu", mtu] => {
                let Ok(mtu) = mtu.parse() else {
                    return Stop::failed(format!("{mtu} is no MTU"));
                };
                self.options = self.options.clone().mtu(mtu);
                Ok(())
            }
            ["route", "add" | "change" | "replace", rest @ ..] => {
                sysctl::route(&mut self.options, rest)
            }
            _ => unknown(words),
        }
    }
}

fn unknown(words: &[&str]) -> Step {
    Stop::failed(format!("the command is not understood: {}", words.join(" ")))
}

/// `tcp_sack` and the like of `net.ipv4.tcp_sack` and `/proc/sys/net/ipv4/tcp_sack`; others whole.
fn sysctl_name(name: &str) -> String {
    let name = name.trim_start_matches("/proc/sys/").trim_start_matches('/').replace('/', ".");
    match name.strip_prefix("net.ipv4.") {
        Some(short) => short.to_owned(),
        None => name,
    }
}

/// The commands of a text, each in words, without comments and what is sent to `/dev/null`.
fn split(text: &str) -> Vec<Vec<String>> {
    let text = text.replace("\\\n", " ");
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut symbols = text.chars().peekable();
    let end_word = |word: &mut Option<String>, commands: &mut Vec<Vec<String>>| {
        if let (Some(word), Some(command)) = (word.take(), commands.last_mut()) {
            command.push(word);
        }
    };
    while let Some(symbol) = symbols.next() {
        match (quote, symbol) {
            (Some(open), _) if symbol == open => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(symbol),
            (None, '"' | '\'') => {
                quote = Some(symbol);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => {
                while symbols.next_if(|next| *next != '\n').is_some() {}
            }
            (None, '\n' | ';') => {
                end_word(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            (None, '&') if symbols.next_if_eq(&'&').is_some() => {
                end_word(&mut word, &mut commands);
                commands.push(Vec::new());
            }
            (None, _) if symbol.is_whitespace() => end_word(&mut word, &mut commands),
            (None, _) => word.get_or_insert_default().push(symbol),
        }
    }
    end_word(&mut word, &mut commands);
    for command in &mut commands {
        while let Some(at) =
            command.iter().position(|word| word.contains("/dev/null") || word == "2>&1")
        {
            let is_arrow = |word: &String| matches!(word.as_str(), ">" | "2>" | "&>" | ">>");
            let from = if at > 0 && is_arrow(&command[at - 1]) { at - 1 } else { at };
            command.drain(from..=at);
        }
    }
    commands.retain(|command| !command.is_empty());
    commands
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_cut_as_a_shell_cuts_them() {
        let text =
            "../common/defaults.sh\n a b=\"1 2\" \\\n c # no\nx &> /dev/null; y 2>/dev/null && z";
        let expected: [&[&str]; 5] =
            [&["../common/defaults.sh"], &["a", "b=1 2", "c"], &["x"], &["y"], &["z"]];
        assert_eq!(split(text), expected);
    }

    #[test]
    fn a_command_that_is_not_understood_is_an_error_unless_told_otherwise() {
        let mut system = System::new(HostOptions::linux(), false);
        let why = Stop::Failed("the command is not understood: rm -rf /".to_owned());
        assert_eq!(system.run("rm -rf /"), Err(why));
        assert_eq!(System::new(HostOptions::linux(), true).run("rm -rf /"), Ok(()));
    }

    #[test]
    fn sysctls_become_options_of_the_host() {
        let mut system = System::new(HostOptions::linux(), false);
        system
            .run("sysctl -q net.ipv4.tcp_syn_retries=2\necho 9 > /proc/sys/net/ipv4/tcp_retries2")
            .unwrap();
        assert_eq!(system.options, HostOptions::linux().syn_retries(2).retries(9));
        assert!(matches!(system.run("sysctl net.ipv4.tcp_frto=0"), Err(Stop::Skipped(_))));
        assert!(matches!(system.run("sysctl net.ipv4.tcp_nonsense=0"), Err(Stop::Failed(_))));
    }
}
