"""What the model's pages are called: a newsroom's headlines in many languages, traps included."""

FRONT = ("/", "The Demo Example – News, sport & opinion")
SECTION_PAGES = [
    ("/politics/", "Politics | The Demo Example"),
    ("/business/", "Business & Markets | The Demo Example"),
    ("/sport/", "Sport | The Demo Example"),
    ("/culture/", "Culture | The Demo Example"),
    ("/science/", "Science | The Demo Example"),
    ("/world/", "World | The Demo Example"),
    ("/opinion/", "Opinion | The Demo Example"),
    ("/weather/", "Weather today: radar, warnings, 7 days"),
    ("/live?blog=election", "LIVE: Election night, minute by minute"),
    ("/search?q=train%20strike", "Search results for “train strike”"),
    ("/caf%C3%A9/men%C3%BC", "Café-Menü: was heute auf den Tisch kommt"),
]

PLACES = (
    "Aarhus Accra Antwerp Bergen Bilbao Bogotá Bordeaux Brno Cork Cusco Dakar Dresden Espoo "
    "Fukuoka Gdańsk Genoa Ghent Graz Haifa Hanoi Izmir Kampala Kraków Kyoto Lagos Leeds Linz "
    "Lyon Malmö Mendoza Mumbai Nantes Oaxaca Oslo Porto Quito Recife Riga Rosario Split "
    "Tallinn Tampere Toledo Trieste Tunis Turin Utrecht Valencia Vilnius Zürich"
).split()

# (section, slug, headline)
HEADLINES = [
    ("politics", "budget-vote", "{place} council passes budget after all-night sitting"),
    ("politics", "mayor-resigns", "Mayor of {place} resigns: “I have lost the trust of the city”"),
    ("politics", "haushalt", "Haushalt in {place}: Wer zahlt für die neue Brücke?"),
    ("politics", "greve", "Grève à {place} : les cheminots prolongent jusqu’à vendredi"),
    ("politics", "elecciones", "Elecciones en {place}: ¿quién ganó el último debate?"),
    ("politics", "wybory", "Wybory w mieście {place}: żółta kartka dla rządu"),
    ("politics", "vybory", "Выборы в {place}: явка выше ожиданий"),
    ("business", "profits", "Profits &amp; losses: {place} port reports &lt;1% growth"),
    ("business", "formula", "=SUM(of its parts): why the {place} merger failed"),
    ("business", "plus", "+12 % in einem Tag: Aktie aus {place} hebt ab"),
    ("business", "minus", "-3.5 degrees and no heating: {place} tenants sue"),
    ("business", "handle", "@home in {place}: the remote workers who stayed"),
    ("business", "rates", "Rates, rents, and regrets: {place}, \"the city that overbuilt\""),
    ("business", "ekonomi", "{place} ekonomisi büyüyor: işsizlik düşüşte"),
    ("business", "oikonomia", "Οικονομία: το {place} αναζητά 2.000 εργαζόμενους"),
    ("sport", "derby", "⚽ {place} 3–2: derby decided in the 97th minute 🔥"),
    ("sport", "marathon", "👩🏽‍🚀 to 🏃🏾‍♀️: astronaut wins the {place} marathon"),
    ("sport", "cycling", "Étape {place} : le maillot jaune change d'épaules"),
    ("sport", "yakyu", "{place}で延長15回、劇的なサヨナラ勝ち"),
    ("sport", "futbol", "{place} celebra: «Es el día más feliz de mi vida»"),
    ("world", "quake", "Earthquake near {place}: what we know so far"),
    ("world", "arabic", "عاجل: انقطاع الكهرباء في {place} وضواحيها"),
    ("world", "hebrew", "דיווח: רכבת חדשה תחבר את {place} לחוף"),
    ("world", "hindi", "{place} में भारी बारिश, स्कूल बंद"),
    ("world", "chinese", "{place}地铁新线开通，首日客流超十万"),
    ("world", "thai", "น้ำท่วม {place} ประชาชนอพยพกว่าพันคน"),
    ("world", "korean", "{place} 공항, 폭설로 항공편 무더기 결항"),
    ("culture", "museum", "Lost painting found behind a radiator in {place} museum"),
    ("culture", "festival", "Festival in {place}: ‘the loudest silence of the year’"),
    ("culture", "opera", "Opernhaus {place}: Größter Applaus für die Souffleuse"),
    ("culture", "cinema", "Cinéma : « L'Été à {place} », l’œuvre qui déçoit"),
    ("culture", "nested", 'Review: "He said \\"{place}\\" and left", a play in one act; 4/5'),
    ("science", "glacier", "Glacier above {place} lost 4 m this summer, survey says"),
    ("science", "telescope", "Telescope near {place} sees light 13.1 billion years old"),
    ("science", "vaccine", "Vaccine trial in {place} stopped early – because it works"),
    ("science", "co2", "CO₂ → stone: {place} start-up buries 1 000 t a day"),
    ("opinion", "cars", "Take the cars out of {place}. All of them."),
    ("opinion", "letters", "Letters: {place} deserves better than <b>this</b> bridge"),
    ("opinion", "kommentar", "Kommentar: {place} braucht keinen weiteren Gipfel, sondern Busse"),
    (
        "opinion",
        "long",
        "A very long read from {place}, in which our correspondent walks the whole of the old city "
        "wall, meets the last of its watchmen, is refused entry to the tower, tries again, and "
        "comes home with a theory of everything that has gone wrong with the trams since 1974",
    ),
]
