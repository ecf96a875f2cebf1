//! Listens, with or without TLS, and answers requests until the node is asked to stop.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum_server::{
    Handle,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};

use nix::sys::resource::{Resource, getrlimit};

use super::{
    Api,
    access::{Access, AccessError, Failures},
    answers::Answers,
    connections::Connections,
    ice_servers::IceServers,
    limits::Limits,
    places::Places,
    router::router,
    tls::{self, TlsError},
    webhooks::Webhooks,
};
use crate::{
    config::{Control, Webhook},
    node::NodeHandle,
};

/// How long requests that are being answered may take after the node was asked to stop.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// How often the other end of a connection that carries many requests is asked whether it is there.
const PING: Duration = Duration::from_secs(20);

/// The API, ready to answer.
pub struct Server {
    listener: TcpListener,
    access: Access,
    tls: Option<RustlsConfig>,
    webhooks: Vec<Webhook>,
    limits: Limits,
    ice_servers: IceServers,
}

impl Server {
    /// Reads keys and certificates, ahead of everything that leaves traces.
    ///
    /// # Errors
    /// What is wrong with them, with the name of the field.
    pub fn new(listener: TcpListener, control: &Control) -> Result<Self, ServerError> {
        let address = listener.local_addr().map_err(ServerError::Listener)?;
        Ok(Self {
            access: Access::new(control, address).map_err(ServerError::Access)?,
            tls: tls::config(&control.tls, address).map_err(ServerError::Tls)?,
            listener,
            webhooks: control.webhooks.clone(),
            limits: control.limits,
            ice_servers: IceServers::new(control.ice_servers.clone()),
        })
    }

    /// Where it is reached.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let address = self.listener.local_addr();
        address.map_or_else(
            |_| scheme.to_owned(),
            |address| format!("{scheme}://{address}"),
        )
    }

    /// Answers requests until the node is asked to stop.
    ///
    /// # Errors
    /// Where the listener fails for good.
    pub async fn run(self, node: NodeHandle) -> io::Result<()> {
        let files = getrlimit(Resource::RLIMIT_NOFILE)?;
        let limits = self.limits.within(files.0);
        let webhooks = Webhooks::new(node.clone());
        for hook in self.webhooks {
            let url = hook.url.clone();
            if let Err(problem) = webhooks.add(hook, None, false) {
                let (field, allowed) = (problem.field, problem.allowed);
                return Err(io::Error::other(format!(
                    "webhook {url}: {field}; allowed: {allowed}"
                )));
            }
        }
        let api = Api {
            node: node.clone(),
            access: Arc::new(self.access),
            ice_servers: Arc::new(self.ice_servers),
            answers: Answers::default(),
            webhooks,
            limits,
            listeners: Places::new(limits.listeners),
            failures: Arc::new(Failures::new(limits.failures)),
        };
        let app = router(api).into_make_service_with_connect_info::<SocketAddr>();
        let handle = Handle::<SocketAddr>::new();
        tokio::spawn({
            let handle = handle.clone();
            async move {
                node.stopped().await;
                handle.graceful_shutdown(Some(LAST_ANSWERS));
            }
        });
        let mut server = axum_server::from_tcp(self.listener)?
            .handle(handle)
            .first_request_timeout(limits.patience);
        let http = server.http_builder();
        http.http1().header_read_timeout(limits.patience);
        http.http2()
            .keep_alive_interval(PING)
            .keep_alive_timeout(limits.patience);
        let connections = Connections::new(limits, self.tls.is_some());
        match self.tls {
            None => server.acceptor(connections).serve(app).await,
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls)
                    .handshake_timeout(limits.patience)
                    .acceptor(connections);
                server.acceptor(acceptor).serve(app).await
            }
        }
    }
}

/// Why the API cannot be served as configured.
#[derive(Debug)]
pub enum ServerError {
    /// Keys.
    Access(AccessError),
    /// The certificate, or its key.
    Tls(TlsError),
    /// The listener.
    Listener(io::Error),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Access(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
            Self::Listener(error) => write!(f, "api: {error}"),
        }
    }
}

impl std::error::Error for ServerError {}
