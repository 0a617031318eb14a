//! Makes what a NATS for production needs, for tests and proofs, as `nsc` and a CA would: nothing is stored, and no
//! service is asked.
//!
//! ```text
//! jwt    operator, accounts, users: their keys, their JWTs, credentials files, the server's configuration
//! tls    an authority of one's own and its certificates
//! ```

mod jwt;
mod tls;

pub use jwt::{Account, Operator};
pub use tls::{Authority, Certificate};
