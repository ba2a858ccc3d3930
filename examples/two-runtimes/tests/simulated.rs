//! The server over a link that loses frames, under ten seeds.

use glassnet::Sim;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use two_runtimes::rt::net::{TcpListener, TcpStream};

#[glassnet::test(determinism)]
fn an_echo_survives_loss(sim: &mut Sim) -> glassnet::Result {
    sim.link("client", "server").loss(0.1);
    sim.host("server", || async {
        Ok(two_runtimes::serve(TcpListener::bind("0.0.0.0:7").await?).await?)
    });
    sim.client("client", async {
        let mut stream = TcpStream::connect("server:7").await?;
        stream.write_all(b"glass").await?;
        stream.shutdown().await?;
        let mut echoed = String::new();
        stream.read_to_string(&mut echoed).await?;
        assert_eq!(echoed, "glass");
        Ok(())
    });
    sim.run()
}
