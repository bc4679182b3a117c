//! The languages of v1.

use crate::text::open_enum::open_enum;

open_enum! {
    /// The language of a document, with v1's own codes.
    ///
    /// They are the codes of an OCR library and differ from ISO 639-1; [`iso_639_1`](Self::iso_639_1) returns the code
    /// for v2.
    pub enum Language {
        /// Afrikaans.
        Afrikaans = "af",
        /// Azerbaijani.
        Azerbaijani = "az",
        /// Bosnian.
        Bosnian = "bs",
        /// Czech.
        Czech = "cs",
        /// Welsh.
        Welsh = "cy",
        /// Danish.
        Danish = "da",
        /// German.
        German = "de",
        /// English.
        English = "en",
        /// Spanish.
        Spanish = "es",
        /// Estonian.
        Estonian = "et",
        /// French.
        French = "fr",
        /// Irish.
        Irish = "ga",
        /// Croatian.
        Croatian = "hr",
        /// Hungarian.
        Hungarian = "hu",
        /// Indonesian.
        Indonesian = "id",
        /// Icelandic.
        Icelandic = "is",
        /// Italian.
        Italian = "it",
        /// Kurdish.
        Kurdish = "ku",
        /// Latin.
        Latin = "la",
        /// Lithuanian.
        Lithuanian = "lt",
        /// Latvian.
        Latvian = "lv",
        /// Māori.
        Maori = "mi",
        /// Malay.
        Malay = "ms",
        /// Maltese.
        Maltese = "mt",
        /// Dutch.
        Dutch = "nl",
        /// Norwegian.
        Norwegian = "no",
        /// Occitan.
        Occitan = "oc",
        /// Pali.
        Pali = "pi",
        /// Polish.
        Polish = "pl",
        /// Portuguese.
        Portuguese = "pt",
        /// Romanian.
        Romanian = "ro",
        /// Serbian in Latin letters.
        SerbianLatin = "rs_latin",
        /// Slovak.
        Slovak = "sk",
        /// Slovenian.
        Slovenian = "sl",
        /// Albanian.
        Albanian = "sq",
        /// Swedish.
        Swedish = "sv",
        /// Swahili.
        Swahili = "sw",
        /// Tagalog.
        Tagalog = "tl",
        /// Turkish.
        Turkish = "tr",
        /// Uzbek.
        Uzbek = "uz",
        /// Vietnamese.
        Vietnamese = "vi",
        /// Arabic.
        Arabic = "ar",
        /// Persian.
        Persian = "fa",
        /// Uyghur.
        Uyghur = "ug",
        /// Urdu.
        Urdu = "ur",
        /// Bengali.
        Bengali = "bn",
        /// Assamese; its code is a keyword of Rust.
        Assamese = "as",
        /// Manipuri, or Meitei.
        Manipuri = "mni",
        /// Russian.
        Russian = "ru",
        /// Serbian in Cyrillic letters.
        SerbianCyrillic = "rs_cyrillic",
        /// Belarusian.
        Belarusian = "be",
        /// Bulgarian.
        Bulgarian = "bg",
        /// Ukrainian.
        Ukrainian = "uk",
        /// Mongolian.
        Mongolian = "mn",
        /// Abaza.
        Abaza = "abq",
        /// Adyghe.
        Adyghe = "ady",
        /// Kabardian.
        Kabardian = "kbd",
        /// Avar.
        Avar = "ava",
        /// Dargwa.
        Dargwa = "dar",
        /// Ingush.
        Ingush = "inh",
        /// Chechen.
        Chechen = "che",
        /// Lak.
        Lak = "lbe",
        /// Lezghian.
        Lezghian = "lez",
        /// Tabasaran.
        Tabasaran = "tab",
        /// Tajik.
        Tajik = "tjk",
        /// Hindi.
        Hindi = "hi",
        /// Marathi.
        Marathi = "mr",
        /// Nepali.
        Nepali = "ne",
        /// Bihari.
        Bihari = "bh",
        /// Maithili.
        Maithili = "mai",
        /// Angika.
        Angika = "ang",
        /// Bhojpuri.
        Bhojpuri = "bho",
        /// Magahi.
        Magahi = "mah",
        /// Nagpuri, or Sadri.
        Nagpuri = "sck",
        /// Newari.
        Newari = "new",
        /// Goan Konkani.
        GoanKonkani = "gom",
        /// Sanskrit.
        Sanskrit = "sa",
        /// Haryanvi.
        Haryanvi = "bgc",
        /// Thai.
        Thai = "th",
        /// Chinese in simplified characters.
        ChineseSimplified = "ch_sim",
        /// Chinese in traditional characters.
        ChineseTraditional = "ch_tra",
        /// Japanese.
        Japanese = "ja",
        /// Korean.
        Korean = "ko",
        /// Tamil.
        Tamil = "ta",
        /// Telugu.
        Telugu = "te",
        /// Kannada.
        Kannada = "kn",
    }
}

impl Language {
    /// Returns the language's ISO 639-1 code, which v2 takes; `None` if it has none.
    ///
    /// The service publishes no such list: the equivalents are general knowledge. A two-letter code that this version
    /// does not know counts as ISO 639-1.
    #[must_use]
    pub fn iso_639_1(&self) -> Option<&str> {
        match self {
            Self::ChineseSimplified | Self::ChineseTraditional => Some("zh"),
            Self::SerbianLatin | Self::SerbianCyrillic => Some("sr"),
            Self::Tajik => Some("tg"),
            Self::Chechen => Some("ce"),
            Self::Avar => Some("av"),
            _ => Some(self.as_str()).filter(|code| {
                code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase())
            }),
        }
    }

    /// Returns the language of v1 with this ISO 639-1 code; `None` if there is none, or more than one.
    #[must_use]
    pub fn from_iso_639_1(code: &str) -> Option<Self> {
        match code {
            "tg" => Some(Self::Tajik),
            "ce" => Some(Self::Chechen),
            "av" => Some(Self::Avar),
            _ => Some(Self::from(code)).filter(|language| {
                !matches!(language, Self::Unknown(_)) && language.iso_639_1() == Some(code)
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Languages whose v1 codes differ from ISO 639-1; the equivalents are general knowledge.
    const WITHOUT: [&str; 17] = [
        "abq", "ady", "ang", "bgc", "bho", "dar", "gom", "inh", "kbd", "lbe", "lez", "mah", "mai",
        "mni", "new", "sck", "tab",
    ];

    #[test]
    fn language_known_values_round_trip() {
        assert_eq!(Language::KNOWN.len(), 86);
        for value in Language::KNOWN {
            let language: Language = serde_json::from_value((*value).into()).unwrap();
            assert!(!matches!(language, Language::Unknown(_)), "{value}");
            assert_eq!(serde_json::to_value(&language).unwrap(), *value);
        }
        assert_eq!(Language::from("as"), Language::Assamese);
        assert_eq!(Language::from("el").as_str(), "el");
    }

    #[test]
    fn language_iso_639_1_code_or_known_to_have_none() {
        for value in Language::KNOWN {
            let language = Language::from(*value);
            match language.iso_639_1() {
                Some(code) => assert!(code.len() == 2 && !WITHOUT.contains(value), "{value}"),
                None => assert!(WITHOUT.contains(value), "{value}"),
            }
        }
        for (value, code) in [
            ("ch_sim", "zh"),
            ("ch_tra", "zh"),
            ("rs_latin", "sr"),
            ("rs_cyrillic", "sr"),
            ("tjk", "tg"),
            ("che", "ce"),
            ("ava", "av"),
            ("de", "de"),
        ] {
            assert_eq!(Language::from(value).iso_639_1(), Some(code));
        }
    }

    #[test]
    fn language_from_iso_639_1_only_if_unambiguous() {
        for value in Language::KNOWN {
            let language = Language::from(*value);
            let Some(code) = language.iso_639_1() else {
                continue;
            };
            match Language::from_iso_639_1(code) {
                Some(back) => assert_eq!(back, language),
                None => assert!(matches!(code, "zh" | "sr"), "{code}"),
            }
        }
        for code in ["zh", "sr", "el", "tjk", "", "en-GB"] {
            assert_eq!(Language::from_iso_639_1(code), None, "{code}");
        }
    }
}
