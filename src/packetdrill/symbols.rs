//! The names of Linux that scripts may use: calls, errors and constants.

/// The calls that a script may make.
const CALLS: [&str; 28] = [
    "accept",
    "accept4",
    "bind",
    "close",
    "connect",
    "epoll_create",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "fcntl",
    "getsockopt",
    "ioctl",
    "listen",
    "poll",
    "read",
    "readv",
    "recv",
    "recvfrom",
    "recvmsg",
    "send",
    "sendmsg",
    "sendto",
    "setsockopt",
    "shutdown",
    "socket",
    "write",
    "writev",
    "icmp_sendto",
];

/// Those of packetdrill that a simulated host does not have: files, pipes, capabilities, PSP.
pub(super) const UNSUPPORTED_CALLS: [&str; 8] = [
    "cap_set",
    "icmp_sendto",
    "open",
    "pipe",
    "psp_rx_assoc",
    "psp_tx_assoc",
    "sendfile",
    "splice",
];

pub(super) fn is_call(name: &str) -> bool {
    CALLS.contains(&name) || UNSUPPORTED_CALLS.contains(&name)
}

/// Linux's errors (`errno(3)`), asm-generic numbering, with their texts.
pub(super) const ERRORS: [(&str, i32, &str); 43] = [
    ("EPERM", 1, "Operation not permitted"),
    ("ENOENT", 2, "No such file or directory"),
    ("EINTR", 4, "Interrupted system call"),
    ("EIO", 5, "Input/output error"),
    ("EBADF", 9, "Bad file descriptor"),
    ("EAGAIN", 11, "Resource temporarily unavailable"),
    ("EWOULDBLOCK", 11, "Resource temporarily unavailable"),
    ("ENOMEM", 12, "Cannot allocate memory"),
    ("EACCES", 13, "Permission denied"),
    ("EFAULT", 14, "Bad address"),
    ("EEXIST", 17, "File exists"),
    ("ENODEV", 19, "No such device"),
    ("EINVAL", 22, "Invalid argument"),
    ("EMFILE", 24, "Too many open files"),
    ("ENOSPC", 28, "No space left on device"),
    ("EPIPE", 32, "Broken pipe"),
    ("ENOMSG", 42, "No message of desired type"),
    ("ENONET", 64, "Machine is not on the network"),
    ("EPROTO", 71, "Protocol error"),
    ("ENOTSOCK", 88, "Socket operation on non-socket"),
    ("EDESTADDRREQ", 89, "Destination address required"),
    ("EMSGSIZE", 90, "Message too long"),
    ("EPROTOTYPE", 91, "Protocol wrong type for socket"),
    ("ENOPROTOOPT", 92, "Protocol not available"),
    ("EPROTONOSUPPORT", 93, "Protocol not supported"),
    ("ESOCKTNOSUPPORT", 94, "Socket type not supported"),
    ("EOPNOTSUPP", 95, "Operation not supported"),
    ("EPFNOSUPPORT", 96, "Protocol family not supported"),
    ("EAFNOSUPPORT", 97, "Address family not supported by protocol"),
    ("EADDRINUSE", 98, "Address already in use"),
    ("EADDRNOTAVAIL", 99, "Cannot assign requested address"),
    ("ENETDOWN", 100, "Network is down"),
    ("ENETUNREACH", 101, "Network is unreachable"),
    ("ECONNABORTED", 103, "Software caused connection abort"),
    ("ECONNRESET", 104, "Connection reset by peer"),
    ("ENOBUFS", 105, "No buffer space available"),
    ("EISCONN", 106, "Transport endpoint is already connected"),
    ("ENOTCONN", 107, "Transport endpoint is not connected"),
    ("ETIMEDOUT", 110, "Connection timed out"),
    ("ECONNREFUSED", 111, "Connection refused"),
    ("EHOSTUNREACH", 113, "No route to host"),
    ("EALREADY", 114, "Operation already in progress"),
    ("EINPROGRESS", 115, "Operation now in progress"),
];

pub(super) fn errno_named(name: &str) -> Option<i32> {
    ERRORS.iter().find(|(known, ..)| *known == name).map(|(_, number, _)| *number)
}

/// The name and the text of an error.
pub(super) fn describe_errno(number: i32) -> (&'static str, &'static str) {
    let known = ERRORS.iter().find(|(_, known, _)| *known == number);
    known.map_or(("?", "unknown error"), |(name, _, text)| (*name, *text))
}

macro_rules! constants {
    ($($name:ident = $value:expr;)*) => {
        $(pub(super) const $name: i64 = $value;)*

        /// The constants of Linux that arguments may name.
        const CONSTANTS: &[(&str, i64)] = &[$((stringify!($name), $name),)*];
    };
}

constants! {
    AF_UNSPEC = 0;
    AF_INET = 2;
    AF_INET6 = 10;
    SOCK_STREAM = 1;
    SOCK_DGRAM = 2;
    SOCK_RAW = 3;
    SOCK_NONBLOCK = 0x800;
    SOCK_CLOEXEC = 0x8_0000;
    IPPROTO_IP = 0;
    IPPROTO_ICMP = 1;
    IPPROTO_TCP = 6;
    IPPROTO_UDP = 17;
    IPPROTO_IPV6 = 41;
    IPPROTO_ICMPV6 = 58;
    SOL_IP = 0;
    SOL_SOCKET = 1;
    SOL_TCP = 6;
    SOL_UDP = 17;
    SOL_IPV6 = 41;
    SO_REUSEADDR = 2;
    SO_TYPE = 3;
    SO_ERROR = 4;
    SO_BROADCAST = 6;
    SO_SNDBUF = 7;
    SO_RCVBUF = 8;
    SO_KEEPALIVE = 9;
    SO_PRIORITY = 12;
    SO_LINGER = 13;
    SO_REUSEPORT = 15;
    SO_ACCEPTCONN = 30;
    SO_MARK = 36;
    SO_TIMESTAMPING = 37;
    SO_PROTOCOL = 38;
    SO_DOMAIN = 39;
    SO_MAX_PACING_RATE = 47;
    SO_ZEROCOPY = 60;
    IP_TOS = 1;
    IP_TTL = 2;
    IP_MTU_DISCOVER = 10;
    IP_RECVERR = 11;
    IP_MTU = 14;
    IP_FREEBIND = 15;
    IP_PMTUDISC_DONT = 0;
    IP_PMTUDISC_WANT = 1;
    IP_PMTUDISC_DO = 2;
    IP_PMTUDISC_PROBE = 3;
    IPV6_UNICAST_HOPS = 16;
    IPV6_V6ONLY = 26;
    IPV6_TCLASS = 67;
    TCP_NODELAY = 1;
    TCP_MAXSEG = 2;
    TCP_CORK = 3;
    TCP_KEEPIDLE = 4;
    TCP_KEEPINTVL = 5;
    TCP_KEEPCNT = 6;
    TCP_SYNCNT = 7;
    TCP_LINGER2 = 8;
    TCP_DEFER_ACCEPT = 9;
    TCP_WINDOW_CLAMP = 10;
    TCP_INFO = 11;
    TCP_QUICKACK = 12;
    TCP_CONGESTION = 13;
    TCP_MD5SIG = 14;
    TCP_USER_TIMEOUT = 18;
    TCP_FASTOPEN = 23;
    TCP_TIMESTAMP = 24;
    TCP_NOTSENT_LOWAT = 25;
    TCP_FASTOPEN_CONNECT = 30;
    TCP_FASTOPEN_KEY = 33;
    TCP_INQ = 36;
    TCP_CM_INQ = 36;
    O_RDONLY = 0;
    O_WRONLY = 1;
    O_RDWR = 2;
    O_NONBLOCK = 0x800;
    F_GETFL = 3;
    F_SETFL = 4;
    FIONREAD = 0x541b;
    SIOCINQ = 0x541b;
    SIOCOUTQ = 0x5411;
    SIOCOUTQNSD = 0x894b;
    SHUT_RD = 0;
    SHUT_WR = 1;
    SHUT_RDWR = 2;
    MSG_OOB = 1;
    MSG_PEEK = 2;
    MSG_TRUNC = 0x20;
    MSG_DONTWAIT = 0x40;
    MSG_EOR = 0x80;
    MSG_WAITALL = 0x100;
    MSG_ERRQUEUE = 0x2000;
    MSG_NOSIGNAL = 0x4000;
    MSG_MORE = 0x8000;
    MSG_ZEROCOPY = 0x400_0000;
    MSG_FASTOPEN = 0x2000_0000;
    POLLIN = 1;
    POLLPRI = 2;
    POLLOUT = 4;
    POLLERR = 8;
    POLLHUP = 0x10;
    POLLNVAL = 0x20;
    POLLRDHUP = 0x2000;
    EPOLLIN = 1;
    EPOLLPRI = 2;
    EPOLLOUT = 4;
    EPOLLERR = 8;
    EPOLLHUP = 0x10;
    EPOLLRDHUP = 0x2000;
    EPOLLONESHOT = 1 << 30;
    EPOLLET = 1 << 31;
    EPOLL_CTL_ADD = 1;
    EPOLL_CTL_DEL = 2;
    EPOLL_CTL_MOD = 3;
    NULL = 0;
}

pub(super) fn constant(name: &str) -> Option<i64> {
    CONSTANTS.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
}
