//! Data sets on Kaggle: their names, and how to request one.

use serde::Serialize;
use std::fmt;
use std::str::FromStr;

/// `kaggle:owner/dataset[/file][@version]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dataset {
    /// Its owner.
    pub owner: String,
    /// Its name in the address.
    pub dataset: String,
    /// One file of it; all of them in one archive when `None`.
    pub file: Option<String>,
    /// Its version; the latest when `None`.
    pub version: Option<u32>,
}

/// The body of `POST …/datasets.DatasetApiService/DownloadDataset`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct DownloadDataset<'a> {
    owner_slug: &'a str,
    dataset_slug: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file_name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    dataset_version_number: Option<u32>,
}

impl FromStr for Dataset {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, version) = match text.rsplit_once('@') {
            Some((name, version)) => {
                let number = version.parse().ok().filter(|number| *number > 0);
                (
                    name,
                    Some(number.ok_or_else(|| format!("has the version {version:?}; a version is a number from 1"))?),
                )
            }
            None => (text, None),
        };
        let mut parts = name.splitn(3, '/');
        let slug = |part: Option<&str>| {
            let part = part.unwrap_or_default();
            let fits = !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
            fits.then(|| part.to_owned())
                .ok_or("is not a data set on Kaggle: write kaggle:owner/dataset, with /file and @version if need be")
        };
        let (owner, dataset) = (slug(parts.next())?, slug(parts.next())?);
        let file = parts.next().map(str::to_owned);
        if file.as_ref().is_some_and(|file| file.is_empty() || file.ends_with('/')) {
            return Err("ends with /: add a file name, or remove the /".to_owned());
        }
        Ok(Self { owner, dataset, file, version })
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kaggle:{}/{}", self.owner, self.dataset)?;
        if let Some(file) = &self.file {
            write!(f, "/{file}")?;
        }
        match self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

impl Dataset {
    /// The file name of the download.
    pub(super) fn file_name(&self) -> String {
        match &self.file {
            Some(file) => file.rsplit('/').next().unwrap_or(file).to_owned(),
            None => format!("{}.zip", self.dataset),
        }
    }

    /// The request's address below the API's address.
    pub(super) fn endpoint(api: &str) -> String {
        format!("{}/datasets.DatasetApiService/DownloadDataset", api.trim_end_matches('/'))
    }

    /// The request's body.
    pub(super) fn body(&self) -> Result<Vec<u8>, serde_json::Error> {
        serde_json::to_vec(&DownloadDataset {
            owner_slug: &self.owner,
            dataset_slug: &self.dataset,
            file_name: self.file.as_deref(),
            dataset_version_number: self.version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        for name in [
            "kaggle:blastchar/telco-customer-churn",
            "kaggle:mlg-ulb/creditcardfraud@3",
            "kaggle:ealaxi/paysim1/PS 2017.csv",
            "kaggle:a/b/sub/c.csv@12",
        ] {
            let dataset: Dataset = name.strip_prefix("kaggle:").unwrap().parse().unwrap();
            assert_eq!(dataset.to_string(), name);
        }
        for name in ["", "owner", "owner/", "/set", "o/s/", "o/s@", "o/s@x", "o/s@0", "o w/s", "..", "../s", "o/s?x"] {
            assert!(name.parse::<Dataset>().is_err(), "{name}");
        }
    }

    #[test]
    fn the_question_has_the_services_names() {
        let dataset: Dataset = "mlg-ulb/creditcardfraud/creditcard.csv@3".parse().unwrap();
        assert_eq!(
            String::from_utf8(dataset.body().unwrap()).unwrap(),
            r#"{"ownerSlug":"mlg-ulb","datasetSlug":"creditcardfraud","fileName":"creditcard.csv","datasetVersionNumber":3}"#
        );
        let whole: Dataset = "a/b".parse().unwrap();
        assert_eq!(String::from_utf8(whole.body().unwrap()).unwrap(), r#"{"ownerSlug":"a","datasetSlug":"b"}"#);
        assert_eq!(whole.file_name(), "b.zip");
        assert_eq!(dataset.file_name(), "creditcard.csv");
    }
}
