//! JSON Schema of runbooks.

/// JSON Schema 2020-12, built from the catalogue.
pub fn json_schema() -> serde_json::Value {
    unimplemented!()
}
