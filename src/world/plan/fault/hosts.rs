//! Whom a fault concerns.

use std::fmt;

/// One host, or a group of hosts, by name: what a fault is given where it concerns hosts.
///
/// Made of `"a"`, of `["a", "b"]`, of `&["a", "b"]`, of slices, and of vectors of `&str` and
/// `String`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// Their names.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

/// With commas between them.
impl fmt::Display for Hosts {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join(","))
    }
}

impl From<&str> for Hosts {
    fn from(name: &str) -> Hosts {
        Hosts(vec![name.to_owned()])
    }
}

impl From<String> for Hosts {
    fn from(name: String) -> Hosts {
        Hosts(vec![name])
    }
}

impl From<&String> for Hosts {
    fn from(name: &String) -> Hosts {
        Hosts(vec![name.clone()])
    }
}

impl<N: AsRef<str>> From<&[N]> for Hosts {
    fn from(names: &[N]) -> Hosts {
        Hosts(names.iter().map(|name| name.as_ref().to_owned()).collect())
    }
}

impl<N: AsRef<str>, const COUNT: usize> From<[N; COUNT]> for Hosts {
    fn from(names: [N; COUNT]) -> Hosts {
        Hosts::from(&names[..])
    }
}

impl<N: AsRef<str>, const COUNT: usize> From<&[N; COUNT]> for Hosts {
    fn from(names: &[N; COUNT]) -> Hosts {
        Hosts::from(&names[..])
    }
}

impl<N: AsRef<str>> From<Vec<N>> for Hosts {
    fn from(names: Vec<N>) -> Hosts {
        Hosts::from(&names[..])
    }
}

impl<N: AsRef<str>> From<&Vec<N>> for Hosts {
    fn from(names: &Vec<N>) -> Hosts {
        Hosts::from(&names[..])
    }
}
