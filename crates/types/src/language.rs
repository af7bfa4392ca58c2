use serde::{Deserialize, Serialize};

/// A language a person is spoken to in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub enum Language {
    #[default]
    #[serde(rename = "zh-CN")]
    ZhCn,
    #[serde(rename = "en")]
    En,
}

impl Language {
    pub const ALL: &'static [Self] = &[Self::ZhCn, Self::En];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ZhCn => "zh-CN",
            Self::En => "en",
        }
    }

    /// The most wanted language we speak of an `Accept-Language` header; Chinese where none is, or the header is broken.
    pub fn from_accept_language(header: &str) -> Self {
        let mut best: Option<(f32, Self)> = None;
        for part in header.split(',') {
            let mut fields = part.split(';').map(str::trim);
            let language = match fields.next().and_then(|tag| tag.split('-').next()) {
                Some(tag) if tag.eq_ignore_ascii_case("zh") => Self::ZhCn,
                Some(tag) if tag.eq_ignore_ascii_case("en") => Self::En,
                _ => continue,
            };
            let weight = match fields.find_map(|field| field.strip_prefix("q=")) {
                None => 1.0,
                Some(text) => text.parse().unwrap_or(0.0),
            };
            if weight > 0.0 && best.is_none_or(|(heaviest, _)| weight > heaviest) {
                best = Some((weight, language));
            }
        }
        best.map_or(Self::default(), |(_, language)| language)
    }
}

#[cfg(test)]
mod tests {
    use super::Language;

    #[test]
    fn the_most_wanted_language_we_speak_is_taken() {
        for (header, language) in [
            ("en", Language::En),
            ("en-GB,en;q=0.9", Language::En),
            ("EN-us", Language::En),
            ("zh-CN,zh;q=0.9,en;q=0.8", Language::ZhCn),
            ("zh;q=0.5, en;q=0.8", Language::En),
            ("fr, en;q=0.3", Language::En),
            ("en;q=0, zh;q=0.1", Language::ZhCn),
        ] {
            assert_eq!(Language::from_accept_language(header), language, "{header}");
        }
    }

    #[test]
    fn chinese_is_spoken_where_nothing_we_speak_is_wanted_or_the_header_is_broken() {
        for header in ["", "*", "fr-FR", ";;q=,", "en;q=0", "en;q=much", "english"] {
            assert_eq!(Language::from_accept_language(header), Language::ZhCn, "{header}");
        }
    }

    #[test]
    fn a_language_is_written_as_its_tag() {
        for language in Language::ALL {
            assert_eq!(serde_json::to_value(language).unwrap(), language.as_str());
        }
    }
}
