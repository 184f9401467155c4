// Accents, apostrophes of any kind and capitals make no difference to a search.
const plain = text => text.normalize("NFD").replace(/[\u0300-\u036f'\u2018\u2019]/g, "").toLowerCase().trim();
