//! `IPPROTO_UDP`: `udp(7)`.

macro_rules! udp_option {
    (UDP_SEGMENT, $get:ident, $set:ident) => {
        /// `UDP_SEGMENT`: bytes of each datagram that what is sent is cut into, the last of which
        /// may have fewer. 0, the default, is one datagram. At most 128 are made of one send.
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a socket without datagrams.
        pub fn $get(&self) -> ::std::io::Result<u16> {
            Ok(self.target().datagram()?.options()?.segment)
        }

        #[doc = $crate::net::options::sets!("UDP_SEGMENT", $get)]
        ///
        /// # Errors
        /// [`Unsupported`](::std::io::ErrorKind::Unsupported) for a socket without datagrams.
        pub fn $set(&self, bytes: u16) -> ::std::io::Result<()> {
            self.target().datagram()?.change_options(|options| {
                options.segment = bytes;
                Ok(())
            })
        }
    };
}

pub(in crate::net) use udp_option;
