//! How people name the columns of feeds: IntelMQ, Shadowserver, abuse.ch, DShield, and those who
//! write tables by hand in their own language.

use super::{evidence, moment, place};
use crate::sheet::{Meaning, Plan};

#[rustfmt::skip]
pub(super) static PLAN: Plan = Plan {
    meanings: &[
        Meaning { key: "ip", looks: Some(place::looks), names: &[
            "ip", "source.ip", "src_ip", "ip_address", "ip_addr", "address", "addr", "suspect",
            "host", "host_ip", "source_address", "src_addr", "client_ip", "remote_ip", "remote_addr",
            "attacker_ip", "infected_ip", "ipv4", "ipv6", "ip_range", "range", "network", "cidr",
            "prefix", "subnet", "netblock", "source.network",
            "IPアドレス", "アドレス", "送信元IPアドレス", "送信元IP", "発信元IPアドレス",
            "IP-Adresse", "IP-Adressen", "Quell-IP", "Absender-IP", "Adresse", "Netz", "Netzwerk",
            "adresse IP", "IP source", "réseau", "dirección IP", "direccion IP", "dirección",
            "IP origen", "IP de origen", "red", "endereço IP", "endereco IP", "endereço",
            "IP de origem", "IP origem", "rede",
            "IP地址", "源IP", "源IP地址", "源地址", "地址", "来源IP", "IP位址", "來源IP",
            "IP주소", "주소", "출발지IP", "출발지IP주소", "발신IP"] },
        Meaning { key: "first", looks: None, names: &[
            "first_ip", "start_ip", "first_address", "start_address", "range_start", "ip_start",
            "ip_from", "first", "start", "開始アドレス", "開始IPアドレス"] },
        Meaning { key: "last", looks: None, names: &[
            "last_ip", "end_ip", "last_address", "end_address", "range_end", "ip_end", "ip_to",
            "last", "end", "終了アドレス", "終了IPアドレス"] },
        Meaning { key: "seen", looks: Some(moment::looks), names: &[
            "last_seen", "last_seen_utc", "last_seen (UTC)", "seen_last", "last_time", "time_last",
            "last_detected", "last_observed", "last_reported", "last_online",
            "最終検知日時", "最終検出日時", "最終観測日時", "zuletzt gesehen", "letzte Sichtung",
            "dernière vue", "dernière observation", "última vez", "última detección",
            "última observación", "última detecção", "última observação", "最后发现时间",
            "最近发现时间", "最後發現時間", "최종탐지일시", "최근탐지일시",
            "time.source", "seen_at", "seen", "timestamp", "datetime",
            "date_time", "date_and_time", "detected_at", "detected", "observed_at", "event_time",
            "source_time", "time_utc", "timestamp_utc",
            "time.observation", "日時", "検知日時", "検出日時", "発生日時", "受信日時", "観測日時",
            "Zeitpunkt", "Zeitstempel", "Datum/Uhrzeit", "Datum/Zeit", "Datum und Uhrzeit",
            "horodatage", "date/heure", "date et heure",
            "fecha/hora", "fecha y hora", "marca de tiempo", "data/hora", "data e hora",
            "date/time", "时间戳", "日期时间", "发现时间", "检测时间", "時間戳記", "일시",
            "탐지일시", "발생일시", "탐지시간", "발생시간"] },
        // Beside the time above the first of its kind; alone it is the time.
        Meaning { key: "seen_from", looks: None, names: &[
            "first_seen", "first_seen_utc", "first_seen (UTC)", "seen_first", "seen_from",
            "seen_since", "first_time", "time_first", "first_detected", "first_observed",
            "first_reported", "初回検知日時", "初回検出日時", "初回観測日時",
            "zuerst gesehen", "erste Sichtung", "première vue", "première observation",
            "primera vez", "primera detección", "primera observación", "primeira vez",
            "primeira detecção", "primeira observação", "首次发现时间", "首次發現時間",
            "최초탐지일시"] },
        Meaning { key: "date", looks: None, names: &[
            "date", "day", "日付", "年月日", "Datum", "fecha", "data", "jour",
            "日期", "날짜", "일자"] },
        Meaning { key: "time", looks: None, names: &[
            "time", "time_of_day", "clock", "時刻", "時間", "Uhrzeit", "Zeit", "heure", "hora",
            "时间", "시간", "시각"] },
        Meaning { key: "class", looks: None, names: &[
            "class", "classification.type", "infection", "category", "malware.name", "malware",
            "threat", "tag", "type", "classification.taxonomy", "kind", "種別", "分類",
            "Kategorie", "Klasse", "Art", "Typ", "catégorie", "categorie", "classe", "categoría",
            "categoria", "clase", "tipo", "类别", "类型", "分类", "類別", "類型", "분류", "유형",
            "종류"] },
        Meaning { key: "source", looks: None, names: &[
            "source", "reporter", "feed", "feed.name", "sensor", "reported_by", "trap",
            "情報源", "通報者", "報告者", "Quelle", "Melder", "Herkunft", "fuente", "origen",
            "fonte", "origem", "来源", "來源", "출처"] },
        Meaning { key: "evidence", looks: Some(evidence::looks), names: &[
            "evidence", "log", "log_line", "helo", "comment", "comments", "note", "notes", "remarks",
            "message", "description", "event_description.text", "備考", "ログ", "根拠", "証拠",
            "Bemerkung", "Bemerkungen", "Kommentar", "Anmerkung", "Notiz", "Nachweis",
            "Beschreibung", "commentaire", "commentaires", "remarque", "remarques", "preuve",
            "comentario", "comentarios", "observaciones", "nota", "notas", "evidencia",
            "comentário", "comentários", "observação", "observações", "evidência",
            "备注", "注释", "证据", "日志", "備註", "證據", "비고", "메모", "근거", "증거",
            "로그"] },
        // The message itself, headers and body: never taken from a column of another name.
        Meaning { key: "sample", looks: None, names: &[
            "sample", "spam_sample", "sample_message", "raw_message", "raw_email", "raw_mail",
            "message_source", "full_message", "rfc822", "eml"] },
        Meaning { key: "port", looks: None, names: &[
            "source.port", "src_port", "source_port", "sport", "client_port", "port",
            "ポート", "ポート番号", "送信元ポート", "Quellport", "Portnummer", "port source",
            "puerto", "puerto de origen", "porta", "porta de origem", "端口", "源端口", "連接埠",
            "포트", "포트번호"] },
        Meaning { key: "terminal", looks: None, names: &[
            "terminal", "device", "device_type", "terminal_type", "端末", "端末種別",
            "Endgerät", "Gerät"] },
        Meaning { key: "tlp", looks: None, names: &[
            "tlp", "tlp_mark", "tlp_marking", "tlp_label", "tlp_level", "tlp_color", "tlp_colour",
            "extra.tlp", "event.tlp", "traffic_light_protocol", "sharing", "marking",
            "共有範囲", "TLP区分"] },
        // What tells something where there is no evidence.
        Meaning { key: "infection", looks: None, names: &["infection"] },
        Meaning { key: "tag", looks: None, names: &["tag", "tags"] },
        Meaning { key: "family", looks: None, names: &["family", "malware_family"] },
        Meaning { key: "sourcetype", looks: None, names: &["sourcetype", "source_type"] },
        Meaning { key: "dst_ip", looks: None, names: &[
            "dst_ip", "destination.ip", "dest_ip", "destination_ip", "cc_ip"] },
        Meaning { key: "dst_port", looks: None, names: &[
            "dst_port", "destination.port", "dest_port", "destination_port", "dport", "cc_port"] },
    ],
    required: &[&["ip"], &["first", "last"]],
};
