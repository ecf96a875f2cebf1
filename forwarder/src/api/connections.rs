//! Connections to the API: so many, and of each source a share of them. Whoever comes on top is told so where that costs nothing,
//! and those that are there go on.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::response::IntoResponse;
use axum_server::accept::Accept;
use futures::future::BoxFuture;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
    sync::Semaphore,
    time::timeout,
};

use super::{
    access::Source,
    error::{BUSY, Problem},
    limits::Limits,
    places::{Claim, Full, Place, Places},
};

/// Those who are told why at one time; the others are closed at once.
const TOLD: usize = 64;
/// How long that may take.
const TELLING: Duration = Duration::from_secs(1);

/// Takes connections in.
#[derive(Clone)]
pub struct Connections {
    places: Places<Source>,
    limits: Limits,
    told: Arc<Semaphore>,
    /// With TLS a reason would cost a handshake.
    tls: bool,
}

impl Connections {
    /// None yet.
    pub fn new(limits: Limits, tls: bool) -> Self {
        Self {
            places: Places::new(limits.connections),
            limits,
            told: Arc::new(Semaphore::new(TOLD)),
            tls,
        }
    }

    fn claim(&self, source: Source) -> Claim {
        let Limits { connections, .. } = self.limits;
        match source.is_loopback() {
            // A proxy here may stand in front of everybody; and who operates the node gets through when others have filled it.
            true => Claim {
                share: connections,
                spared: 0,
            },
            false => Claim {
                share: self.limits.connections_per_source,
                spared: connections / 16,
            },
        }
    }
}

impl<S: Send + 'static> Accept<TcpStream, S> for Connections {
    type Stream = Connection;
    type Service = S;
    type Future = BoxFuture<'static, io::Result<(Connection, S)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let this = self.clone();
        Box::pin(async move {
            let source = Source::from(stream.peer_addr()?.ip());
            match this.places.take(source, this.claim(source)) {
                Ok(place) => {
                    stream.set_nodelay(true)?;
                    let connection = Connection {
                        stream,
                        _place: place,
                    };
                    Ok((connection, service))
                }
                Err(full) => {
                    log::debug!("a connection from {source} is refused: {full}");
                    if !this.tls
                        && let Ok(_told) = this.told.try_acquire()
                    {
                        // Whether it is read is not our business.
                        let _ = timeout(TELLING, tell(stream, full)).await;
                    }
                    Err(io::Error::other("too many connections"))
                }
            }
        })
    }
}

/// Answers whatever is asked, then waits until the other side has read it: closing with something unread resets the connection.
async fn tell(mut stream: TcpStream, full: Full) -> io::Result<()> {
    let allowed = format!("{full}; try again later");
    let problem = Problem::new(&BUSY, "connections", "one more", allowed);
    let (parts, body) = problem.into_response().into_parts();
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .map_err(io::Error::other)?;
    let answer = format!(
        "HTTP/1.1 {}\r\ncontent-type: application/problem+json\r\ncontent-length: {}\r\nretry-after: 10\r\nconnection: close\r\n\r\n",
        parts.status,
        body.len()
    );
    stream
        .write_all(&[answer.as_bytes(), &body].concat())
        .await?;
    stream.shutdown().await?;
    let mut rest = [0; 1024];
    while stream.read(&mut rest).await? > 0 {}
    Ok(())
}

/// A connection, which gives its place back with its end.
pub struct Connection {
    stream: TcpStream,
    _place: Place<Source>,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::*;

    #[test]
    fn one_source_gets_its_share_and_this_host_what_is_left() {
        let limits = Limits {
            connections: 32,
            connections_per_source: 8,
            ..Limits::default()
        };
        let connections = Connections::new(limits, false);
        let mut held = Vec::new();
        let mut count = |source: &str| {
            let source = Source::from(source.parse::<IpAddr>().unwrap());
            let before = held.len();
            while let Ok(place) = connections.places.take(source, connections.claim(source)) {
                held.push(place);
            }
            held.len() - before
        };
        assert_eq!((count("192.0.2.1"), count("192.0.2.1")), (8, 0));
        // A host has its network of 64 bits to itself.
        assert_eq!((count("2001:db8::1"), count("2001:db8::2")), (8, 0));
        assert_eq!((count("192.0.2.2"), count("192.0.2.3")), (8, 6));
        assert_eq!((count("192.0.2.4"), count("127.0.0.1")), (0, 2));
    }
}
