//! The literature's claims, measured.
