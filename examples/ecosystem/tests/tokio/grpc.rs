//! tonic: a service with deadlines, and a client that tries again.

use std::time::{Duration, Instant};

use glassnet::Sim;
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Code, Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::health_server::{Health, HealthServer};
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::capture::Capture;

const SERVER: &str = "http://server:50051";

/// A service that takes as many milliseconds as it is asked to.
struct Slow;

type Updates =
    std::pin::Pin<Box<dyn futures_util::Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

#[tonic::async_trait]
impl Health for Slow {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        let milliseconds = request.into_inner().service.parse();
        let milliseconds = milliseconds.map_err(|_| Status::not_found("no such service"))?;
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        Ok(Response::new(HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }

    type WatchStream = Updates;

    async fn watch(&self, _: Request<HealthCheckRequest>) -> Result<Response<Updates>, Status> {
        let update = HealthCheckResponse { status: ServingStatus::Serving.into() };
        let updates = futures_util::stream::unfold(0, move |count| async move {
            tokio::time::sleep(Duration::from_millis(10)).await;
            (count < 3).then_some((Ok(update), count + 1))
        });
        Ok(Response::new(Box::pin(updates)))
    }
}

async fn serve() -> glassnet::Result {
    let address = "0.0.0.0:50051".parse()?;
    Ok(Server::builder().add_service(HealthServer::new(Slow)).serve(address).await?)
}

fn request(service: &str) -> Request<HealthCheckRequest> {
    Request::new(HealthCheckRequest { service: service.to_owned() })
}

#[test]
fn a_call_has_a_deadline() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    let capture = Capture::of(&mut sim, "client", "grpc")?;
    sim.client("client", async {
        let mut client = HealthClient::new(Endpoint::from_static(SERVER).connect().await?);
        let answer = client.check(request("20")).await?;
        assert_eq!(answer.into_inner().status(), ServingStatus::Serving);
        let error = client.check(request("nothing")).await.expect_err("there is none");
        assert_eq!(error.code(), Code::NotFound);
        let mut slow = request("500");
        slow.set_timeout(Duration::from_millis(300));
        let began = Instant::now();
        let error = client.check(slow).await.expect_err("it takes too long");
        assert!(matches!(error.code(), Code::Cancelled | Code::DeadlineExceeded), "{error:?}");
        assert_eq!(began.elapsed(), Duration::from_millis(300));
        Ok(())
    });
    sim.run()?;
    let check = "/grpc.health.v1.Health/Check";
    capture.shows("http2", "http2.headers.path", &format!("{check} {check} {check}"));
    // Three questions and an answer: the other two answers are only headers.
    capture.shows("grpc", "grpc.message_length", "4 2 9 5");
    capture.is_clean();
    Ok(())
}

#[test]
fn a_stream_of_answers_comes_as_they_are_made() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim.client("client", async {
        let mut client = HealthClient::new(Endpoint::from_static(SERVER).connect().await?);
        let began = Instant::now();
        let mut updates = client.watch(request("")).await?.into_inner();
        let mut times = Vec::new();
        while let Some(update) = updates.message().await? {
            assert_eq!(update.status(), ServingStatus::Serving);
            times.push(began.elapsed().as_millis());
        }
        assert_eq!(times, [12, 22, 32]);
        Ok(())
    });
    sim.run()
}

/// Asks again, with a pause that doubles, while the server cannot be reached.
async fn with_retries(channel: Channel) -> Result<HealthCheckResponse, Status> {
    let mut pause = Duration::from_millis(100);
    let mut client = HealthClient::new(channel);
    loop {
        match client.check(request("20")).await {
            Err(error)
                if matches!(
                    error.code(),
                    Code::Unavailable | Code::Cancelled | Code::DeadlineExceeded | Code::Unknown
                ) =>
            {
                tokio::time::sleep(pause).await;
                pause *= 2;
            }
            answer => return answer.map(Response::into_inner),
        }
    }
}

#[test]
fn a_client_that_tries_again_survives_a_bounce() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim.at(Duration::from_millis(100)).crash("server");
    sim.at(Duration::from_millis(900)).bounce("server");
    sim.client("client", async {
        let endpoint = Endpoint::from_static(SERVER)
            .connect_timeout(Duration::from_millis(200))
            .timeout(Duration::from_millis(400));
        let channel = endpoint.connect().await?;
        with_retries(channel.clone()).await?;
        tokio::time::sleep(Duration::from_millis(150)).await;
        let began = Instant::now();
        let answer = with_retries(channel).await?;
        assert_eq!(answer.status(), ServingStatus::Serving);
        assert!(began.elapsed() > Duration::from_millis(700), "{:?}", began.elapsed());
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        Ok(())
    });
    sim.run()
}

#[test]
fn keep_alive_finds_out_that_the_server_is_gone() -> glassnet::Result {
    let mut sim = Sim::tokio(7);
    sim.host("server", serve);
    sim.at(Duration::from_secs(1)).partition("client", "server");
    sim.client("client", async {
        let endpoint = Endpoint::from_static(SERVER)
            .http2_keep_alive_interval(Duration::from_secs(10))
            .keep_alive_timeout(Duration::from_secs(5));
        let mut client = HealthClient::new(endpoint.connect().await?);
        let began = Instant::now();
        let error = client.check(request("60000")).await.expect_err("the server is gone");
        assert_eq!(error.code(), Code::Unavailable, "{error:?}");
        // A ping after 10 s, and 5 s more for its answer.
        assert_eq!(began.elapsed(), Duration::from_secs(15));
        Ok(())
    });
    sim.run()
}
