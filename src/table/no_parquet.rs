//! Replaces Parquet in a build without it: every operation fails or does nothing.

/// Does nothing: there is no Parquet reader whose panics need hiding.
pub fn quiet_damage() {}

/// Cells as a file stores them.
pub(crate) mod stored {
    /// An uninhabited type: there are no such cells.
    #[derive(Debug, Clone)]
    pub enum Stored {}

    impl Stored {
        /// Empty: there is no Parquet.
        #[must_use]
        pub fn booleans<'t>(_: impl Iterator<Item = &'t str>) -> Option<Self> {
            None
        }
    }

    /// An uninhabited type.
    #[derive(Debug, Clone)]
    pub enum StoredType {}

    impl StoredType {
        /// Empty: there is no Parquet.
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

    /// A writer that cannot be created.
    #[derive(Debug)]
    pub enum ParquetWriter {}

    impl ParquetWriter {
        /// Fails: this build has no Parquet.
        ///
        /// # Errors
        /// Always.
        pub fn new(_: &Table) -> io::Result<Self> {
            Err(io::Error::other("this mlloop was built without Parquet (cargo build --features parquet)"))
        }

        /// Fails: this build has no Parquet.
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
