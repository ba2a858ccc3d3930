//! The redis client, against a server of a few commands.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use glassnet::Sim;
use redis::aio::ConnectionManagerConfig;
use redis::{AsyncCommands, AsyncConnectionConfig, Client, cmd};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::capture::Capture;

type Values = Arc<Mutex<BTreeMap<String, String>>>;

/// SET, GET and INCR; `DEBUG SLEEP` takes its time.
async fn serve() -> glassnet::Result {
    let listener = TcpListener::bind("0.0.0.0:6379").await?;
    let values = Values::default();
    loop {
        let (stream, _) = listener.accept().await?;
        tokio::spawn(answer(BufReader::new(stream), values.clone()));
    }
}

async fn answer(mut stream: BufReader<TcpStream>, values: Values) -> std::io::Result<()> {
    while let Some(command) = read_command(&mut stream).await? {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        let reply = match words[..] {
            ["SET", name, value] => {
                values.lock().unwrap().insert(name.into(), value.into());
                "+OK\r\n".to_owned()
            }
            ["GET", name] => match values.lock().unwrap().get(name) {
                Some(value) => format!("${}\r\n{value}\r\n", value.len()),
                None => "$-1\r\n".to_owned(),
            },
            ["INCR" | "INCRBY", name, ..] => {
                let mut values = values.lock().unwrap();
                let value = values.entry(name.into()).or_insert_with(|| "0".into());
                *value = (value.parse::<i64>().unwrap_or(0) + 1).to_string();
                format!(":{value}\r\n")
            }
            ["DEBUG", "SLEEP", seconds] => {
                let seconds = seconds.parse().unwrap_or_default();
                tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
                "+OK\r\n".to_owned()
            }
            ["CLIENT", ..] => "+OK\r\n".to_owned(),
            _ => format!("-ERR unknown command '{}'\r\n", words[0]),
        };
        stream.write_all(reply.as_bytes()).await?;
    }
    Ok(())
}

/// An array of bulk strings.
async fn read_command(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<Vec<String>>> {
    let Some(count) = read_length(stream).await? else { return Ok(None) };
    let mut words = Vec::new();
    for _ in 0..count {
        let len = read_length(stream).await?.ok_or(std::io::ErrorKind::UnexpectedEof)?;
        let mut word = vec![0; len + 2];
        stream.read_exact(&mut word).await?;
        words.push(String::from_utf8_lossy(&word[..len]).into_owned());
    }
    Ok(Some(words))
}

async fn read_length(stream: &mut BufReader<TcpStream>) -> std::io::Result<Option<usize>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    line[1..].trim().parse().map(Some).map_err(std::io::Error::other)
}

#[test]
fn a_client_sets_and_gets() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    let capture = Capture::of(&mut sim, "client", "redis")?;
    sim.client("client", async {
        let client = Client::open("redis://server/")?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let () = connection.set("name", "glass").await?;
        assert_eq!(connection.get::<_, String>("name").await?, "glass");
        assert_eq!(connection.get::<_, Option<String>>("other").await?, None);
        let (first, second): (i64, i64) =
            redis::pipe().incr("count", 1).incr("count", 1).query_async(&mut connection).await?;
        assert_eq!((first, second), (1, 2));
        Ok(())
    });
    sim.run()?;
    capture.shows_some("resp.bulk_string.value == \"glass\"");
    capture.is_clean();
    Ok(())
}

#[test]
fn the_timeouts_of_the_client_fire_at_their_time() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim.at(Duration::from_secs(10)).partition("client", "server");
    sim.client("client", async {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_millis(1_200)))
            .set_response_timeout(Some(Duration::from_millis(700)));
        let client = Client::open("redis://server/")?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let began = Instant::now();
        let slow = cmd("DEBUG").arg("SLEEP").arg("1").exec_async(&mut connection).await;
        assert!(slow.expect_err("it takes too long").is_timeout());
        assert_eq!(began.elapsed(), Duration::from_millis(700));

        tokio::time::sleep_until(tokio::time::Instant::now() + Duration::from_secs(11)).await;
        let began = Instant::now();
        let connecting = client.get_multiplexed_async_connection_with_config(&config).await;
        assert!(connecting.is_err_and(|error| error.is_timeout()));
        assert_eq!(began.elapsed(), Duration::from_millis(1_200));
        Ok(())
    });
    sim.run()
}

#[test]
fn a_connection_manager_connects_again_after_a_bounce() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim.at(Duration::from_secs(1)).crash("server");
    sim.at(Duration::from_secs(2)).bounce("server");
    sim.client("client", async {
        let config = ConnectionManagerConfig::new().set_min_delay(Duration::from_millis(100));
        let client = Client::open("redis://server/")?;
        let mut connection = client.get_connection_manager_with_config(config).await?;
        assert_eq!(connection.incr::<_, _, i64>("count", 1).await?, 1);
        let mut failures = 0;
        let counted = loop {
            tokio::time::sleep(Duration::from_millis(300)).await;
            match connection.incr::<_, _, i64>("count", 1).await {
                Ok(counted) if failures > 0 => break counted,
                Ok(_) => {}
                Err(_) => failures += 1,
            }
        };
        // The server that came back has forgotten all.
        assert_eq!(counted, 1);
        Ok(())
    });
    sim.run()
}
