//! The proofs. Private fields, no `Clone`: whoever holds one was given it by a [`Session`](crate::Session).

/// A message that was judged and may be sent to the target, once.
#[derive(Debug)]
#[must_use = "a permitted message that is not sent was judged for nothing"]
pub struct Permitted<M> {
    message: M,
}

impl<M> Permitted<M> {
    pub(crate) const fn new(message: M) -> Self {
        Self { message }
    }

    pub(crate) fn into_inner(self) -> M {
        self.message
    }
}

/// A message that was masked and recorded and may be shown to the client, once.
#[derive(Debug)]
#[must_use = "a released message that is not sent is lost"]
pub struct Released<M> {
    message: M,
}

impl<M> Released<M> {
    pub(crate) const fn new(message: M) -> Self {
        Self { message }
    }

    pub(crate) fn into_inner(self) -> M {
        self.message
    }
}
