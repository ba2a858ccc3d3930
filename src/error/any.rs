//! What tests, hosts and clients return.

use std::error::Error as StdError;
use std::fmt;
use std::marker::PhantomData;

type Boxed = Box<dyn StdError + Send + Sync>;

/// What a test, a host or a client returns: `()`, or a value of the type that is given; or any error.
pub type Result<T = ()> = std::result::Result<T, Error>;

/// Any error, [`Send`] and [`Sync`]. That of [`Sim::run`](crate::Sim::run) holds a
/// [`RunError`](crate::RunError), for which [`run_error`](Error::run_error) asks.
///
/// Whatever converts into `Box<dyn Error + Send + Sync>` converts into it, by `?` or by
/// [`into`](Into::into): the errors of `std` and of other crates that are `Send`, `Sync` and
/// `'static`, a `String`, a `&str`, an `anyhow::Error`, an `eyre::Report`. A plain
/// `Box<dyn Error>` is neither `Send` nor `Sync`, and does not. It is an [`Error`](StdError) itself, unlike such a box, so that
/// `?` works the other way as well: `sim.run()?` in a test that returns `anyhow::Result`,
/// `eyre::Result` or `Result<(), Box<dyn std::error::Error>>`.
///
/// ```
/// use glassnet::Sim;
///
/// fn nobody_listens(sim: &mut Sim) -> glassnet::Result {
///     sim.client("client", async {
///         let port: u16 = "80".parse()?;
///         glassnet::net::TcpStream::connect(("localhost", port)).await?;
///         Err("somebody listens".into())
///     });
///     sim.run()
/// }
///
/// let error = nobody_listens(&mut Sim::new(7)).unwrap_err();
/// let run = error.run_error().unwrap();
/// assert_eq!((run.seed(), run.failure().to_string()), (7, "client `client` failed".to_owned()));
/// ```
///
/// `Display` and `Debug` print what the error inside prints, and [`source`](StdError::source) is
/// that one's. The type is not [`Unpin`], and neither is a type that holds one: an error of
/// your own that is to convert into this one holds a `Box<glassnet::Error>`.
pub struct Error {
    inner: Boxed,
}

impl Error {
    /// The error inside, if it is a `T`.
    #[must_use]
    pub fn downcast_ref<T: StdError + 'static>(&self) -> Option<&T> {
        self.inner.downcast_ref()
    }

    /// The error inside, if it is a `T`.
    ///
    /// # Errors
    /// This error, if it is not.
    pub fn downcast<T: StdError + 'static>(self) -> std::result::Result<Box<T>, Error> {
        self.inner.downcast().map_err(|inner| Error { inner })
    }

    /// The error inside.
    #[must_use]
    pub fn into_inner(self) -> Box<dyn StdError + Send + Sync> {
        self.inner
    }
}

/// Of everything that converts into a boxed error.
impl<E: Into<Boxed> + Unpin> From<E> for Error {
    fn from(error: E) -> Error {
        match error.into().downcast() {
            Ok(error) => *error,
            Err(inner) => Error { inner },
        }
    }
}

// `Error` is an error, and everything that converts into a boxed error converts into it: both can
// be said of one type only if it is not among those that the conversion is for, since each type
// converts into itself already. What tells it from them is that it is not `Unpin`. The compiler takes
// that for certain where it depends on a trait of this crate that no type has.
impl<'a> Unpin for Error where NoType<'a>: IsUnpin {}
trait IsUnpin {}
/// With a lifetime, because a condition without a parameter is an error if it can never hold.
struct NoType<'a>(#[allow(dead_code)] PhantomData<&'a ()>);

impl AsRef<dyn StdError + Send + Sync + 'static> for Error {
    fn as_ref(&self) -> &(dyn StdError + Send + Sync + 'static) {
        &*self.inner
    }
}

impl AsRef<dyn StdError + 'static> for Error {
    fn as_ref(&self) -> &(dyn StdError + 'static) {
        &*self.inner
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.inner.source()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner, formatter)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.inner, formatter)
    }
}
