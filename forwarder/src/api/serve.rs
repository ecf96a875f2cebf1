//! Listens, with or without TLS, and answers requests until the node is asked to stop.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use axum_server::{
    Handle,
    accept::NoDelayAcceptor,
    tls_rustls::{RustlsAcceptor, RustlsConfig},
};

use super::{
    Api,
    access::{Access, AccessError},
    event_routes::listeners,
    ice_servers::IceServers,
    idempotency::Answers,
    router::router,
    webhooks::Webhooks,
};
use crate::{
    config::{Control, Tls, Webhook},
    node::NodeHandle,
};

/// How long requests that are being answered may take after the node was asked to stop.
const LAST_ANSWERS: Duration = Duration::from_millis(500);
/// How long a client may take for the head of a request, and to begin its first one.
const PATIENCE: Duration = Duration::from_secs(10);

/// The API, ready to answer.
pub struct Server {
    listener: TcpListener,
    access: Access,
    tls: Option<RustlsConfig>,
    webhooks: Vec<Webhook>,
    ice_servers: IceServers,
}

impl Server {
    /// Reads keys and certificates, ahead of everything that leaves traces.
    ///
    /// # Errors
    /// What is wrong with them, with the name of the field.
    pub async fn new(listener: TcpListener, control: &Control) -> Result<Self, ServerError> {
        let address = listener.local_addr().map_err(ServerError::Listener)?;
        Ok(Self {
            access: Access::new(control, address).map_err(ServerError::Access)?,
            tls: tls(control, address).await.map_err(ServerError::Tls)?,
            listener,
            webhooks: control.webhooks.clone(),
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
        let webhooks = Webhooks::new(node.clone());
        for hook in self.webhooks {
            let url = hook.url.clone();
            if let Err(problem) = webhooks.add(hook, false) {
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
            listeners: listeners(),
        };
        let app = router(api).into_make_service();
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
            .first_request_timeout(PATIENCE);
        server.http_builder().http1().header_read_timeout(PATIENCE);
        match self.tls {
            None => server.acceptor(NoDelayAcceptor::new()).serve(app).await,
            Some(tls) => {
                let acceptor = RustlsAcceptor::new(tls).acceptor(NoDelayAcceptor::new());
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
    Tls(io::Error),
    /// The listener.
    Listener(io::Error),
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Access(error) => error.fmt(f),
            Self::Tls(error) => write!(
                f,
                "api-certificate, api-private-key: {error}; allowed: a certificate chain and its private key, in PEM"
            ),
            Self::Listener(error) => write!(f, "api: {error}"),
        }
    }
}

impl std::error::Error for ServerError {}

async fn tls(control: &Control, address: SocketAddr) -> io::Result<Option<RustlsConfig>> {
    let config = match &control.tls {
        Tls::Off => return Ok(None),
        Tls::Files(files) => {
            RustlsConfig::from_pem_file(&files.certificate, &files.private_key).await?
        }
        Tls::SelfSigned => {
            let names = vec!["localhost".to_owned(), address.ip().to_string()];
            let made = rcgen::generate_simple_self_signed(names).map_err(io::Error::other)?;
            let key = made.signing_key.serialize_der();
            RustlsConfig::from_der(vec![made.cert.der().to_vec()], key).await?
        }
    };
    Ok(Some(config))
}
