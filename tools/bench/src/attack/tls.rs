//! Mutual TLS as in Crossplane: a CA, the function's certificate, and a client with its own.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use tokio_rustls::TlsConnector;
use tonic::client::Grpc;
use tonic::codegen::http::Uri;
use tonic::transport::{Channel, Endpoint};

use crate::Failure;

/// A client's side of TLS.
pub(crate) type Client = Arc<ClientConfig>;

/// The function's certificate directory, and a client that it accepts.
pub(crate) struct Certificates {
    directory: tempfile::TempDir,
    client: Client,
}

impl Certificates {
    pub(crate) fn new() -> Result<Self, Failure> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let leaf = || -> Result<(String, String), Failure> {
            let key = KeyPair::generate()?;
            let params = CertificateParams::new(vec!["localhost".to_owned()])?;
            Ok((params.signed_by(&key, &authority)?.pem(), key.serialize_pem()))
        };
        let directory = tempfile::tempdir()?;
        let (certificate, key) = leaf()?;
        fs::write(directory.path().join("tls.crt"), certificate)?;
        fs::write(directory.path().join("tls.key"), key)?;
        fs::write(directory.path().join("ca.crt"), authority.pem())?;

        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone())?;
        let (certificate, key) = leaf()?;
        let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes())?;
        let mut client =
            builder()?.with_root_certificates(roots).with_client_auth_cert(chain, key)?;
        client.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self { directory, client: Arc::new(client) })
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.path()
    }

    pub(crate) fn client(&self) -> Client {
        Arc::clone(&self.client)
    }
}

fn builder() -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Failure> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?)
}

/// Opens a connection for requests, encrypted if a client's side is given.
pub(crate) async fn connect(
    address: SocketAddr,
    client: Option<&Client>,
) -> Result<Grpc<Channel>, Failure> {
    let Some(client) = client else { return crate::rpc::connect(address).await };
    let connector = TlsConnector::from(Arc::clone(client));
    let connect = move |_: Uri| {
        let connector = connector.clone();
        async move {
            let stream = tokio::net::TcpStream::connect(address).await?;
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    };
    let endpoint = Endpoint::from_shared(format!("http://{address}"))?;
    Ok(Grpc::new(endpoint.connect_with_connector(tower::service_fn(connect)).await?))
}

/// Sends a complete ClientHello; the server's answer, with its signature, is read and discarded.
pub(crate) fn hello(address: SocketAddr) {
    let greet = || -> Result<(), Failure> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut config =
            builder()?.with_root_certificates(RootCertStore::empty()).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let name = ServerName::try_from("localhost")?;
        let mut connection = ClientConnection::new(Arc::new(config), name)?;
        let mut bytes = Vec::new();
        connection.write_tls(&mut bytes)?;
        stream.write_all(&bytes)?;
        let _ = stream.read(&mut [0; 4096])?;
        Ok(())
    };
    // The server may have had enough.
    let _ = greet();
}
