//! The state directory on a real file system.
