//! tokio-postgres, against a server that knows one table.

use std::time::{Duration, Instant};

use glassnet::Sim;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, NoTls};

use crate::capture::Capture;

const INT4: u32 = 23;
const TEXT: u32 = 25;

/// The table `hosts (id int4, name text)`.
const HOSTS: [(i32, &str); 2] = [(1, "server"), (2, "client")];

async fn serve() -> glassnet::Result {
    let listener = TcpListener::bind("0.0.0.0:5432").await?;
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(session(stream));
    }
}

/// A message of the server: its type, its length, what is in it.
fn message(kind: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut message = vec![kind];
    message.extend((body.len() as u32 + 4).to_be_bytes());
    message.extend(body);
    message
}

async fn read_message(stream: &mut TcpStream) -> std::io::Result<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await?;
    let mut body = vec![0; stream.read_u32().await? as usize - 4];
    stream.read_exact(&mut body).await?;
    Ok((kind, body))
}

/// The C strings that a message begins with.
fn strings(body: &[u8]) -> impl Iterator<Item = &str> {
    body.split(|byte| *byte == 0).map(|word| std::str::from_utf8(word).unwrap_or_default())
}

fn column(name: &str, kind: u32, size: i16) -> Vec<u8> {
    let parts: [&[u8]; 7] = [
        name.as_bytes(),
        &[0; 7],
        &kind.to_be_bytes(),
        &size.to_be_bytes(),
        &(-1i32).to_be_bytes(),
        &0i16.to_be_bytes(),
        &[],
    ];
    parts.concat()
}

fn ready() -> Vec<u8> {
    message(b'Z', &[b"I"])
}

/// What an extended query is answered with: `select name from hosts where id = $1`, and
/// `select pg_sleep(1)`.
async fn session(mut stream: TcpStream) -> std::io::Result<()> {
    let mut startup = vec![0; stream.read_u32().await? as usize - 4];
    stream.read_exact(&mut startup).await?;
    let parameter = message(b'S', &[b"client_encoding\0UTF8\0"]);
    let hello = [message(b'R', &[&0u32.to_be_bytes()]), parameter, ready()];
    stream.write_all(&hello.concat()).await?;
    let (mut sleeps, mut id) = (false, 0);
    let mut has_failed = false;
    loop {
        let (kind, body) = read_message(&mut stream).await?;
        let reply = match kind {
            // Parse: the name of the statement, then the query.
            b'P' => match strings(&body).nth(1) {
                Some("select name from hosts where id = $1") => message(b'1', &[]),
                Some("select pg_sleep(1)") => {
                    sleeps = true;
                    message(b'1', &[])
                }
                _ => {
                    has_failed = true;
                    let fields = b"SERROR\0C42601\0Msyntax error\0\0";
                    message(b'E', &[fields])
                }
            },
            b'S' => {
                has_failed = false;
                ready()
            }
            _ if has_failed => continue,
            b'D' if sleeps => [
                message(b't', &[&0i16.to_be_bytes()]),
                message(b'T', &[&1i16.to_be_bytes(), &column("pg_sleep", TEXT, -1)]),
            ]
            .concat(),
            b'D' => [
                message(b't', &[&1i16.to_be_bytes(), &INT4.to_be_bytes()]),
                message(b'T', &[&1i16.to_be_bytes(), &column("name", TEXT, -1)]),
            ]
            .concat(),
            // Bind: the value is the four bytes before the formats of the results.
            b'B' => {
                if !sleeps {
                    let value = body.len() - 8..body.len() - 4;
                    id = i32::from_be_bytes(body[value].try_into().unwrap_or_default());
                }
                message(b'2', &[])
            }
            b'E' => {
                if sleeps {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                }
                let rows = HOSTS.iter().filter(|(key, _)| *key == id && !sleeps);
                let rows: Vec<u8> = rows
                    .flat_map(|(_, name)| {
                        let len = (name.len() as i32).to_be_bytes();
                        message(b'D', &[&1i16.to_be_bytes(), &len, name.as_bytes()])
                    })
                    .collect();
                [rows, message(b'C', &[b"SELECT 1\0"])].concat()
            }
            b'C' => message(b'3', &[]),
            b'X' => return Ok(()),
            _ => continue,
        };
        stream.write_all(&reply).await?;
    }
}

/// Connects in the way that the library's page shows: the connection is a task of its own.
async fn connect() -> Result<Client, tokio_postgres::Error> {
    let config = "host=server user=glass dbname=net connect_timeout=3";
    let (client, connection) = tokio_postgres::connect(config, NoTls).await?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            eprintln!("connection error: {error}");
        }
    });
    Ok(client)
}

const QUERY: &str = "select name from hosts where id = $1";

#[test]
fn a_query_is_prepared_and_answered() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    let capture = Capture::of(&mut sim, "client", "postgres")?;
    sim.client("client", async {
        let client = connect().await?;
        let row = client.query_one(QUERY, &[&2]).await?;
        assert_eq!(row.get::<_, &str>("name"), "client");
        assert_eq!(client.query(QUERY, &[&3]).await?.len(), 0);
        let error = client.query("selct", &[]).await.expect_err("that is no SQL");
        assert_eq!(error.code(), Some(&SqlState::SYNTAX_ERROR));
        Ok(())
    });
    sim.run()?;
    capture.shows("pgsql.query", "pgsql.query", &[QUERY, QUERY, "selct"].join(" "));
    capture.is_clean();
    Ok(())
}

#[test]
fn timeouts_of_connecting_and_of_queries_fire_at_their_time() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim.at(Duration::from_secs(10)).partition("client", "server");
    sim.client("client", async {
        let client = connect().await?;
        let limit = Duration::from_millis(400);
        let began = Instant::now();
        let sleep = client.query("select pg_sleep(1)", &[]);
        tokio::time::timeout(limit, sleep).await.expect_err("it takes too long");
        assert_eq!(began.elapsed(), limit);

        tokio::time::sleep(Duration::from_secs(10)).await;
        let began = Instant::now();
        assert!(connect().await.is_err(), "nothing gets through");
        assert_eq!(began.elapsed(), Duration::from_secs(3));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_client_whose_server_bounces_finds_its_connection_closed() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim.at(Duration::from_secs(1)).bounce("server");
    sim.client("client", async {
        let client = connect().await?;
        client.query_one(QUERY, &[&1]).await?;
        tokio::time::sleep(Duration::from_secs(2)).await;
        let error = client.query_one(QUERY, &[&1]).await.expect_err("it was reset");
        assert!(error.is_closed() || client.is_closed(), "{error:?}");
        let client = connect().await?;
        let row = client.query_one(QUERY, &[&1]).await?;
        assert_eq!(row.get::<_, &str>(0), "server");
        Ok(())
    });
    sim.run()
}
