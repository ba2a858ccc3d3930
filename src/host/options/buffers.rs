//! The buffers of TCP sockets, and what they may take together.

use super::HostOptions;

impl HostOptions {
    /// Receive buffer of each TCP socket in bytes, which is also the largest window it advertises:
    /// 1 to 2^30 (Linux's second `tcp_rmem`). Default 65,535, the most that needs no window scaling.
    /// `SO_RCVBUF` changes it for one socket.
    pub fn recv_buffer(mut self, bytes: usize) -> HostOptions {
        self.recv_buffer = bytes;
        self
    }

    /// Send buffer of each TCP socket in bytes: 1 to 2^30 (Linux's second `tcp_wmem`). A writer that found
    /// it full is woken when a third of it is free, so a flow fills the peer's window all the time
    /// if the buffer is one and a half windows or more. Default 98,304, one and a half of the
    /// default [`recv_buffer`](HostOptions::recv_buffer). `SO_SNDBUF` changes it for one socket.
    pub fn send_buffer(mut self, bytes: usize) -> HostOptions {
        self.send_buffer = bytes;
        self
    }

    /// What the receive buffer of a TCP socket grows to as its application reads, unless the socket
    /// sets its size: 0 to 2^30 bytes (Linux's third `tcp_rmem`; dynamic right-sizing). Default 0:
    /// it does not grow. Only
    /// [`TcpEngine::Glassnet`](crate::TcpEngine::Glassnet) grows buffers; with the other it is an error.
    pub fn recv_buffer_max(mut self, bytes: usize) -> HostOptions {
        self.recv_buffer_max = bytes;
        self.needing_glassnet("recv_buffer_max", bytes > 0)
    }

    /// What the send buffer of a TCP socket grows to with the congestion window, unless the socket
    /// sets its size: 0 to 2^30 bytes (Linux's third `tcp_wmem`). Default 0: it does not grow. Only
    /// [`TcpEngine::Glassnet`](crate::TcpEngine::Glassnet) grows buffers; with the other it is an error.
    pub fn send_buffer_max(mut self, bytes: usize) -> HostOptions {
        self.send_buffer_max = bytes;
        self.needing_glassnet("send_buffer_max", bytes > 0)
    }

    /// How much of the receive buffer the peer is not told of: its size shifted right by this
    /// (Linux's `tcp_adv_win_scale`), 0 to 31, where 0 tells of all. Default 0. Only
    /// [`TcpEngine::Glassnet`](crate::TcpEngine::Glassnet) keeps anything back; with the other it is an error.
    pub fn adv_win_scale(mut self, shift: u8) -> HostOptions {
        self.adv_win_scale = shift;
        self.needing_glassnet("adv_win_scale", shift > 0)
    }

    /// The most that `SO_RCVBUF` of a TCP socket may ask for, 1 to 2^29 bytes; more counts as that,
    /// and twice as much is given (Linux's `rmem_max`). Default 212,992.
    pub fn rmem_max(mut self, bytes: u32) -> HostOptions {
        self.rmem_max = bytes;
        self
    }

    /// The same for `SO_SNDBUF` (Linux's `wmem_max`). Default 212,992.
    pub fn wmem_max(mut self, bytes: u32) -> HostOptions {
        self.wmem_max = bytes;
        self
    }

    /// The receive buffer that a TCP connection gets however scarce memory is (see
    /// [`tcp_mem`](HostOptions::tcp_mem)), if it asks for as much: 1 to 2^30 bytes (Linux's first
    /// `tcp_rmem`). Default 4096.
    pub fn recv_buffer_min(mut self, bytes: usize) -> HostOptions {
        self.recv_buffer_min = bytes;
        self
    }

    /// The same for the send buffer: 1 to 2^30 bytes (Linux's first `tcp_wmem`). Default 4096.
    pub fn send_buffer_min(mut self, bytes: usize) -> HostOptions {
        self.send_buffer_min = bytes;
        self
    }

    /// Bytes that the buffers of all TCP connections of the host may take together, each counted as
    /// what it holds when it is full, at least 8192: Linux's `tcp_mem`. Default 256 MiB; in a
    /// [`Live`](crate::Live) world a quarter of the machine's memory. When half of it is taken, a
    /// connection that begins gets smaller buffers, and so a smaller window: of what is left a
    /// 4096th part each, down to [`recv_buffer_min`](HostOptions::recv_buffer_min) and
    /// [`send_buffer_min`](HostOptions::send_buffer_min). When even for that there is no room, SYNs are dropped
    /// (`tcp_memory_drops`) and `connect` fails with `ENOBUFS`. Connections that there are do not
    /// notice.
    pub fn tcp_mem(mut self, bytes: u64) -> HostOptions {
        self.tcp_mem = Some(bytes);
        self
    }
}
