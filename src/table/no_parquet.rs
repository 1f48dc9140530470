//! Replaces Parquet in a build without it: nothing is written, no panics need hiding.

/// Does nothing: there is no Parquet reader whose panics need hiding.
pub fn quiet_damage() {}

/// Cells as a file stores them.
pub(crate) mod stored {
    /// Cells that there are none of.
    #[derive(Debug, Clone)]
    pub enum Stored {}

    impl Stored {
        /// None: there is no Parquet.
        #[must_use]
        pub fn booleans<'t>(_: impl Iterator<Item = &'t str>) -> Option<Self> {
            None
        }
    }

    /// A type that there is none of.
    #[derive(Debug, Clone)]
    pub enum StoredType {}

    impl StoredType {
        /// None: there is no Parquet.
        #[must_use]
        pub fn boolean(_: &str) -> Option<Self> {
            None
        }
    }
}

/// Writing Parquet.
pub(crate) mod write {
    use super::stored::{Stored, StoredType};
    use crate::table::Table;
    use std::io::{self, Write};

    /// A writer that cannot be made.
    #[derive(Debug)]
    pub enum ParquetWriter {}

    impl ParquetWriter {
        /// Says that this build has no Parquet.
        ///
        /// # Errors
        /// Always.
        pub fn new(_: &Table) -> io::Result<Self> {
            Err(io::Error::other("this mlloop was built without Parquet (cargo build --features parquet)"))
        }

        /// Says that this build has no Parquet.
        ///
        /// # Errors
        /// Always.
        pub fn passing(table: &Table, _: &[Option<StoredType>]) -> io::Result<Self> {
            Self::new(table)
        }

        /// Never called.
        ///
        /// # Errors
        /// None.
        pub fn push_passing(&mut self, _: &Table, _: &[Option<&Stored>]) -> io::Result<()> {
            match *self {}
        }

        /// Never called.
        ///
        /// # Errors
        /// None.
        pub fn push(&mut self, _: &Table) -> io::Result<()> {
            match *self {}
        }

        /// Never called.
        ///
        /// # Errors
        /// None.
        pub fn finish(self, _: &mut dyn Write) -> io::Result<()> {
            match self {}
        }
    }
}
