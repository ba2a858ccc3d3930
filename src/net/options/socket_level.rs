//! `SOL_SOCKET`: `socket(7)`.

macro_rules! socket_option {
    (SO_KEEPALIVE, $get:ident, $set:ident) => {
        /// `SO_KEEPALIVE`: whether the peer of a silent connection is asked if it is still there
        /// (RFC 9293 section 3.8.4): after two hours, then every 75 seconds; after nine questions
        /// without an answer the connection fails with
        /// [`TimedOut`](::std::io::ErrorKind::TimedOut). Off by default.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            Ok(self.target().tcp($crate::net::options::Level::Socket)?.keep_alive)
        }

        #[doc = $crate::net::options::sets!("SO_KEEPALIVE", $get)]
        pub fn $set(&self, keepalive: bool) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Socket, |options| {
                options.keep_alive = keepalive;
                Ok(())
            })
        }
    };

    (SO_REUSEADDR, $get:ident, $set:ident) => {
        /// `SO_REUSEADDR`: whether the socket shares its address and port with others that have
        /// this option: for TCP, unless one of them listens; connections that are closing count as
        /// sockets. Off by default.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            self.target().inet(|options| options.reuse_address, |options| options.reuse_address)
        }

        #[doc = $crate::net::options::sets!("SO_REUSEADDR", $get)]
        pub fn $set(&self, reuse: bool) -> ::std::io::Result<()> {
            self.target().change_inet(
                |options| {
                    options.reuse_address = reuse;
                    Ok(())
                },
                |options| {
                    options.reuse_address = reuse;
                    Ok(())
                },
            )
        }
    };

    (SO_REUSEPORT, $get:ident, $set:ident) => {
        /// `SO_REUSEPORT`: whether the socket listens on its address and port beside others that
        /// have this option. Each connection goes to one of them, chosen by the client's address
        /// and port. Off by default; TCP only.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            Ok(self.target().tcp($crate::net::options::Level::Socket)?.reuse_port)
        }

        #[doc = $crate::net::options::sets!("SO_REUSEPORT", $get)]
        pub fn $set(&self, reuse: bool) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Socket, |options| {
                options.reuse_port = reuse;
                Ok(())
            })
        }
    };

    (SO_BROADCAST, $get:ident, $set:ident) => {
        /// `SO_BROADCAST`: whether the socket may send to a broadcast address, that of the network
        /// (10.0.255.255) or 255.255.255.255. Off by default; datagrams only.
        pub fn $get(&self) -> ::std::io::Result<bool> {
            Ok(self.target().datagram()?.options()?.broadcast)
        }

        #[doc = $crate::net::options::sets!("SO_BROADCAST", $get)]
        pub fn $set(&self, broadcast: bool) -> ::std::io::Result<()> {
            self.target().datagram()?.change_options(|options| {
                options.broadcast = broadcast;
                Ok(())
            })
        }
    };

    (SO_RCVBUF, $get:ident, $set:ident: $size:ty) => {
        /// `SO_RCVBUF`: the size of the receive buffer in bytes, twice what was set, as on Linux, or
        /// the host's default. Of TCP all of it is advertised, or the part that
        /// [`HostOptions::adv_win_scale`](crate::HostOptions::adv_win_scale) leaves.
        pub fn $get(&self) -> ::std::io::Result<$size> {
            self.target()
                .inet(|options| options.recv_buffer() as $size, |options| options.recv_buffer as $size)
        }

        #[doc = $crate::net::options::sets!("SO_RCVBUF", $get)]
        /// As on Linux no size is refused: of TCP more than
        /// [`HostOptions::rmem_max`](crate::HostOptions::rmem_max) counts as that, twice as much is
        /// given, and at least 2304 bytes; from then on the buffer does not grow. A window of more
        /// than 65,535 bytes needs window scaling, which is settled by the SYN.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for another size than it has, once a
        /// connection of [`TcpEngine::Smoltcp`](crate::TcpEngine::Smoltcp) has begun.
        pub fn $set(&self, size: $size) -> ::std::io::Result<()> {
            self.target().change_inet(
                |options| {
                    options.set_recv_buffer(u32::try_from(size).unwrap_or(u32::MAX));
                    Ok(())
                },
                |options| {
                    options.set_recv_buffer(size as usize);
                    Ok(())
                },
            )
        }
    };

    (SO_SNDBUF, $get:ident, $set:ident: $size:ty) => {
        /// `SO_SNDBUF`: the size of the send buffer in bytes, twice what was set, as on Linux, or the
        /// host's default. Of TCP it is what a connection keeps until it is acknowledged.
        pub fn $get(&self) -> ::std::io::Result<$size> {
            self.target().send_buffer().map(|size| size as $size)
        }

        #[doc = $crate::net::options::sets!("SO_SNDBUF", $get)]
        /// As on Linux no size is refused: of TCP more than
        /// [`HostOptions::wmem_max`](crate::HostOptions::wmem_max) counts as that, twice as much is
        /// given, and at least 4608 bytes; from then on the buffer does not grow.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for another size than it has, once a
        /// connection of [`TcpEngine::Smoltcp`](crate::TcpEngine::Smoltcp) has begun.
        pub fn $set(&self, size: $size) -> ::std::io::Result<()> {
            self.target().set_send_buffer(size as usize)
        }
    };

    (SO_LINGER, $get:ident) => {
        /// `SO_LINGER`: what closing does with data that is not delivered. `None`, the default:
        /// it is delivered in the background. No time: the connection is reset, and the data is
        /// lost. With more time a drop cannot wait, and does as without the option;
        /// [`Socket::close`](crate::net::socket::Socket::close) waits, at most that long.
        pub fn $get(&self) -> ::std::io::Result<Option<::std::time::Duration>> {
            Ok(self.target().tcp($crate::net::options::Level::Socket)?.linger())
        }
    };

    (SO_LINGER, $get:ident, $(#[$attribute:meta])* $set:ident) => {
        socket_option!(SO_LINGER, $get);

        #[doc = $crate::net::options::sets!("SO_LINGER", $get)]
        /// Only whole seconds count.
        $(#[$attribute])*
        pub fn $set(&self, linger: Option<::std::time::Duration>) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Socket, |options| {
                options.set_linger(linger);
                Ok(())
            })
        }
    };

    (SO_LINGER of no time, $set:ident) => {
        /// Sets `SO_LINGER` of no time: dropping the connection resets it, and what was not
        /// delivered is lost.
        pub fn $set(&self) -> ::std::io::Result<()> {
            self.target().change_tcp($crate::net::options::Level::Socket, |options| {
                options.set_linger(Some(::std::time::Duration::ZERO));
                Ok(())
            })
        }
    };

    (SO_BINDTODEVICE, $get:ident, $set:ident) => {
        /// `SO_BINDTODEVICE`: the interface that the socket is bound to, which is always none.
        pub fn $get(&self) -> ::std::io::Result<Option<Vec<u8>>> {
            Ok(None)
        }

        /// `SO_BINDTODEVICE`: `None` or an empty name undoes a binding to an interface.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a name: a host has one
        /// interface.
        pub fn $set(&self, interface: Option<&[u8]>) -> ::std::io::Result<()> {
            match interface {
                None | Some([]) => Ok(()),
                Some(_) => Err($crate::error::Errno::OperationNotSupported.into()),
            }
        }
    };
}

pub(in crate::net) use socket_option;
