//! Words in names of columns that are evidence for or against a target, separated by spaces. `churn*` is every word
//! that begins so, `*preis` every word that ends so. Words are English, German, French, Spanish and Italian.

/// Classes and outcomes: English, German, French, Spanish and Italian.
pub(super) const CLASSES: &str = "\
    target* churn* fraud* outcome* response* survived survival defaulte* default exited attrition convert* \
    conversion* distress diagnos* species income subscri* bankrupt* cancel* approved approval spam stroke \
    satisfaction satisfied malignan* benign clicked purchased readmi* delinq* dlq* dropout drop_out hired bad \
    classif* verdict anomal* intrusion recid* insolv* solvency retention admitted admit reached transported \
    biopsy obes* chd cardio renewed renewal noshow \
    zielvariable zielgröße zielgroesse gekuendigt gekündigt *kuendigung *kündigung storniert storno stornierung \
    *betrug betrugsfall betruegerisch betrügerisch *ausfall ausgefallen abwanderung abgewandert retoure \
    zurueckgesendet zurückgesendet bonitaet bonität kredit diagnose genehmigt bewilligt verstorben geheilt \
    gekauft insolvent insolvenz schadenfall mangelhaft fehlerhaft defekt ausschuss \
    cible resilie résilié resiliation résiliation desabonne désabonné attrition fraude frauduleux frauduleuse \
    impaye impayé defaut défaut annule annulé annulation accepte accepté deces décès sinistre diagnostic \
    defaillance défaillance \
    objetivo abandono fuga baja cancelado cancelada fraudulento moroso morosidad impago incumplimiento aprobado \
    devuelto fallecido diagnostico diagnóstico comprado \
    obiettivo bersaglio disdetta abbandono frode insolvente insolvenza annullato approvato deceduto diagnosi \
    guasto reso unsubscri*";

/// Events that happen or not: words that say target if the column says yes or no.
pub(super) const EVENTS: &str = "\
    accept* arrested booked bought breach* buy buyer chargeback* click complain* completed death* deceased \
    delay* died disease duplicate enrolled escalated fail* hate infected lapsed late leave leaver left mortality \
    opened overdue passed pass phishing promoted purchase quit recurrence recurred rejected relapse* reopened \
    reordered repaid resigned responded retained returned sold terminated transported upgraded win won visit \
    visited converted tomorrow cancer diabetes diabetic sick injured injury accident claim claimed breakdown \
    broken defect* faulty fault positive success successful paid unpaid show revenue deposit signed signup \
    activated stolen theft outage alarm alert abuse spoof* malware malicious bot ausgefallen verspaetet \
    verspätet schaden unfall tot krank verkauft retard achat achete acheté mort panne compra compro compró \
    muerte averia avería retraso acquisto acquistato morto ritardo incidente";

/// Names of classes and outcomes if the name has no other word.
pub(super) const ALONE: &str = "y label labels class left revenue disease admit";

/// Quantities that are always targets.
pub(super) const QUANTITIES: &str = "target label y outcome response cnt quality medv zielvariable cible";

/// Quantities that are often estimated.
pub(super) const USUAL: &str = "\
    price* saleprice value salary wage wages rent sales demand spend spent cost costs tip mpg charges expectancy \
    rings count rating ratings score points stars grade gpa strength resistance yield energy consumption kwh \
    power profit loss losses fare revenue popularity happiness rul soh ltv clv duration volume pm2 bodyfat \
    weight emission emissions output throughput occupancy admit damage pressure viscosity solubility shares \
    views downloads admissions load traffic taken amount fatalities deaths cases claims claimnb area temperature \
    temp appliances \
    *preis *miete gehalt jahresgehalt lohn umsatz absatz gewinn *kosten wert *verbrauch *ertrag nachfrage menge \
    note bewertung dauer schadenhoehe schadenhöhe leistung \
    prix loyer salaire ventes valeur cout coût consommation rendement demande montant \
    precio alquiler salario sueldo ventas valor coste costo consumo rendimiento demanda \
    prezzo affitto canone stipendio vendite valore costo resa fatturato domanda val";

/// Those of them that are more often features.
pub(super) const SELDOM: &str = "\
    weight duration volume power pressure load area temperature temp amount damage points count grade menge \
    dauer leistung montant note traffic taken views output shares claims deaths cases fatalities cost costs \
    rating ratings loss losses value wert valeur valor valore score income val";

/// Words that a target with few values often has.
pub(super) const LIKELY: &str = "\
    result decision activity severity priority variety stars direction vote voted placed ergebnis intent toxic* \
    sentiment klasse classe clase risk disorder attack* potab* mood emotion qualitaet qualität dringlichkeit \
    prioritaet priorität schweregrad urgency";

/// Words that such a target has alone; with other words they are features.
pub(super) const VAGUE: &str = "\
    category dataset letter type condition quality grade rating kategorie categoria catégorie sector outlook \
    topic";

/// Words for states, which are targets about half of the time.
pub(super) const STATES: &str = "status priority state stage group range level rank zustand estado stato statut";

/// Subjects whose state is not a target.
pub(super) const OF_STATES: &str = "\
    verification marital smoking employment checking savings saving personal machine payment delivery order us \
    home customer age income address policy skill education company";

/// Words before a quantity that make it a part, or a value at another time.
pub(super) const PARTS: &str = "\
    avg average mean min max std unit list base monthly monats annual yearly daily competitor comp sell buy tax \
    initial original old discount per applicant coapplicant loan shipping service installment estimated wind \
    heart growth number num no nr n marketing advertising ad media r";

/// Units and the like after a quantity.
pub(super) const UNITS: &str = "\
    usd eur euro euros gbp chf inr dollars k kwh mwh wh ha t kg g l m2 sqm m mm min mins minutes hours h days d \
    s sec seconds pct percent mpa mw kw db amount value score of in at for";

/// Traits of people, things and days, which are rarely targets.
pub(super) const TRAITS: &str = "\
    gender sex male female married marital smoker partner dependents senior citizen phone mobile email member \
    holiday weekend workingday working urban rural new own owner owns car house housing loan insured age city \
    country region zone district county province zip zipcode postcode postal lat lon lng latitude longitude \
    lattitude longtitude year yr month day hour week weekday season quarter channel method device browser \
    language currency payment segment name address street education job occupation department brand make model \
    color colour newsletter tenure term vendor seller store shop location race ethnicity nationality religion \
    height notes comment comments source timezone version genre industry fuel geschlecht alter stadt land \
    bundesland bezirk filiale zahlungsart zahlart karte stunde monat jahr baujahr beruf raucher neukunde telefon \
    familienstand sexe ville pays annee année mois paiement sexo edad ciudad pais país barrio mes año sesso eta \
    età citta città paese anno mese pagamento cambio ascensor fibra fibre tarjeta hora has billing paperless";

/// Filler words beside the decisive one: `is_fraud`, `Attrition_Flag`, `FraudFound_P`, `clf_target`.
pub(super) const FILLERS: &str = "\
    is has was flag ind indicator p f yn n found clf reg value label class target status binary event reported \
    or not type cat category ist hat est es";

/// Words for columns derived from the target.
pub(super) const NOT_TARGET: &str = "\
    pred prediction proba probability predicted prob estimate next flagged previous prev prior past previously \
    already before ever history hist last confidence rank reason file fuehere vorherige letzte bisherige";
