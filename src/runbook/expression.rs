//! Text with `${{ … }}` parts.
