//! Mutual TLS: our certificate, and the CA that client certificates are verified against.
//!
//! Crossplane mounts `tls.crt`, `tls.key` and `ca.crt` and may renew them. They are checked again
//! when a connection arrives, so a renewed certificate needs no restart. Until the new files match
//! each other, the old ones stay in use.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

/// The files are read at most this often.
const INTERVAL: Duration = Duration::from_secs(1);

/// The three files of a certificate directory, and the last configuration made from them.
#[derive(Debug)]
pub struct Certificates {
    directory: PathBuf,
    current: Mutex<Current>,
}

#[derive(Debug)]
struct Current {
    files: Files,
    config: Arc<ServerConfig>,
    looked: Instant,
}

#[derive(Debug, PartialEq, Eq)]
struct Files {
    certificate: Vec<u8>,
    key: Vec<u8>,
    ca: Vec<u8>,
}

impl Certificates {
    /// Reads `tls.crt`, `tls.key` and `ca.crt` in a directory.
    ///
    /// # Errors
    /// A file is missing or unusable; the message names it.
    pub fn load(directory: &Path) -> Result<Self, String> {
        let files = Files::read(directory)?;
        let config = files.config()?;
        let current = Mutex::new(Current { files, config, looked: Instant::now() });
        Ok(Self { directory: directory.to_owned(), current })
    }

    /// Returns the configuration for a new connection, renewed if the files changed.
    pub fn config(&self) -> Arc<ServerConfig> {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.looked.elapsed() >= INTERVAL {
            current.looked = Instant::now();
            match Files::read(&self.directory) {
                Ok(files) if files == current.files => {}
                Ok(files) => match files.config() {
                    Ok(config) => {
                        tracing::info!("certificates renewed");
                        current.config = config;
                        current.files = files;
                    }
                    Err(error) => tracing::warn!(error, "renewed certificates are not usable"),
                },
                Err(error) => tracing::warn!(error, "certificates cannot be read again"),
            }
        }
        Arc::clone(&current.config)
    }
}

impl Files {
    fn read(directory: &Path) -> Result<Self, String> {
        let read = |name: &str| {
            let path = directory.join(name);
            fs::read(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))
        };
        Ok(Self { certificate: read("tls.crt")?, key: read("tls.key")?, ca: read("ca.crt")? })
    }

    /// Builds a configuration for TLS 1.2 and 1.3 and HTTP/2 that requires a verified client
    /// certificate.
    fn config(&self) -> Result<Arc<ServerConfig>, String> {
        let chain = certificates(&self.certificate, "tls.crt")?;
        let key = PrivateKeyDer::from_pem_slice(&self.key)
            .map_err(|error| format!("tls.key holds no private key: {error}"))?;
        let mut roots = RootCertStore::empty();
        for certificate in certificates(&self.ca, "ca.crt")? {
            roots.add(certificate).map_err(|error| format!("ca.crt is not usable: {error}"))?;
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .map_err(|error| format!("ca.crt is not usable: {error}"))?;
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|builder| {
                builder.with_client_cert_verifier(verifier).with_single_cert(chain, key)
            })
            .map_err(|error| format!("tls.crt and tls.key do not fit: {error}"))?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn certificates(pem: &[u8], name: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let list: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let list = list.map_err(|error| format!("{name} is not PEM: {error}"))?;
    if list.is_empty() {
        return Err(format!("{name} holds no certificate"));
    }
    Ok(list)
}

/// Returns an [`io::Error`] for a handshake that took too long.
pub(crate) fn handshake_timeout() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake took too long")
}
