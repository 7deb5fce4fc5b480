"""How people name the fields of a form, in Ukrainian, Russian, English and Spanish.

Our field on the left, the spellings on the right, as `incoming.normalise` leaves them: lower case, words joined by
`_`. Before the look-up, words that only address the visitor (`FILLERS`) are dropped, so `Ваш телефон *` is found as
`телефон`. The lists come from the default labels of Tilda, Elementor, Contact Form 7 and Google Forms and from
public receivers of their hooks; a name that isn't here is given with `read:` in hub.yaml.
"""

from __future__ import annotations

from collections.abc import Mapping


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


#: words of a label that say nothing about the field
FILLERS = _words(
    """your my the a enter please field contact ваш ваша ваше ваші ваши мій мой моя моє мое введіть введите вкажіть
    укажите контактний контактный контактна tu su mi el la"""
)

_ALIASES: Mapping[str, str] = {
    # --- the person ---
    "contact.name": """name fullname full_name client_name customer_name имя имя_клиента имя_и_фамилия ім'я ім_я імя
        ім'я_та_прізвище имя_фамилия nombre nombre_completo nombre_y_apellido""",
    "contact.fio": "fio фио піб ф_и_о п_і_б фио_полностью прізвище_ім'я_по_батькові фамилия_имя_отчество",
    "contact.first_name": "first_name firstname fname first primer_nombre",
    "contact.last_name": "last_name lastname lname surname family_name last фамилия прізвище apellido apellidos",
    "contact.middle_name": "middle_name middlename patronymic second_name отчество по_батькові побатькові",
    "contact.phone": """phone phone_number phonenumber tel telephone mobile mobile_phone cell cellphone whatsapp
        телефон номер_телефону номер_телефона мобільний мобильный мобільний_телефон мобильный_телефон телефон_для_связи
        телефон_для_зв'язку номер тел моб
        teléfono telefono número_de_teléfono numero_de_telefono celular móvil movil""",
    "contact.email": """email e_mail mail email_address emailaddress почта пошта электронная_почта електронна_пошта
        эл_почта ел_пошта емейл имейл емайл мейл correo correo_electrónico correo_electronico""",
    "contact.address": "address адрес адреса delivery_address адрес_доставки адреса_доставки dirección direccion",
    # --- what the form asks for ---
    "form.comment": """comment comments message text question note notes textarea коментар коментарі комментарий
        комментарии сообщение повідомлення вопрос питання запитання примечание примітка comentario comentarios mensaje
        pregunta""",
    "form.wishes": "wishes wish пожелания пожелание побажання deseos",
    "form.city": "city town city_name місто город населений_пункт населенный_пункт ciudad",
    "form.branch": """branch warehouse nova_poshta novaposhta np_branch відділення відділення_нової_пошти отделение
        отделение_новой_почты нова_пошта новая_почта склад sucursal""",
    "form.service": "service services послуга услуга servicio",
    "form.visit_at": """visit_at visit_date appointment booking_date дата_візиту дата_визита дата_запису дата_записи
        дата_и_время_визита дата_та_час_візиту fecha_de_visita cita""",
}  # fmt: skip

#: what keeps the person as one word per name, in the order of that alias: surname, first name, patronymic
FULL_NAMES = "contact.fio"

#: alias -> our field
ALIASES: Mapping[str, str] = {alias: ours for ours, names in _ALIASES.items() for alias in names.split()}

#: fields that machinery adds to a form; they are no answers of the visitor and no part of the summary
MACHINERY = _words(
    """cookies tranid formid form_id form_name formname form_title form_url form_kind kind page page_url pageurl
    page_title url referer referrer http_referer user_agent remote_ip ip powered_by credit post_id queried_id
    session_id client_id submission_id submissionid response_id responseid entry_id entryid form payment test
    timestamp submitted_at created_at time_stamp ts nonce wpnonce wp_http_referer token csrf_token csrfmiddlewaretoken
    g_recaptcha_response h_captcha_response cf_turnstile_response smart_token"""
)

#: fields that differ between two sendings of the same answers, and so don't tell two submissions apart
VOLATILE = _words(
    """cookies timestamp submitted_at created_at time_stamp ts nonce wpnonce token csrf_token csrfmiddlewaretoken
    g_recaptcha_response h_captcha_response cf_turnstile_response smart_token user_agent remote_ip ip"""
)

#: identifiers the vendor guarantees to be unique per submission
SUBMISSION_IDS = ("tranid", "response.id")

#: names that look like an identifier but may be a constant of a careless page; trusted only together with the answers
POSSIBLE_IDS = ("response_id", "responseId", "submission_id", "submissionID", "entry_id", "entryId")

UTM = ("utm_source", "utm_medium", "utm_campaign", "utm_content", "utm_term")

#: click and session identifiers: the name in an address or a cookie -> our field of `source`
CLICKS: Mapping[str, str] = {
    "gclid": "gclid",  # Google Ads
    "yclid": "yclid",  # Yandex Direct
    "fbclid": "fbclid",  # Meta
    "ymclid": "ymclid",  # Yandex Market
    "roistat_visit": "roistat",
    "roistat": "roistat",
    "_ga": "client_id",  # Google Analytics: GA1.2.<client id>
    "ga_client_id": "client_id",
    "client_id": "client_id",
    "session_id": "session_id",
}
