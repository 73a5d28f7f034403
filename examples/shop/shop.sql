-- Run once, when shop.db is empty.
CREATE TABLE categories (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL
);
CREATE TABLE products (
  id INTEGER PRIMARY KEY,
  category_id INTEGER NOT NULL REFERENCES categories (id),
  name TEXT NOT NULL,
  cents INTEGER NOT NULL CHECK (cents >= 0),
  teaser TEXT NOT NULL,
  description TEXT NOT NULL
);
CREATE INDEX products_by_category ON products (category_id);
CREATE TABLE stock (
  product_id INTEGER PRIMARY KEY REFERENCES products (id),
  available INTEGER NOT NULL CHECK (available >= 0),
  warehouse TEXT NOT NULL
);
CREATE TABLE reviews (
  id INTEGER PRIMARY KEY,
  product_id INTEGER NOT NULL REFERENCES products (id),
  author TEXT NOT NULL,
  stars INTEGER NOT NULL CHECK (stars BETWEEN 1 AND 5),
  body TEXT NOT NULL,
  posted TEXT NOT NULL DEFAULT CURRENT_DATE
);
CREATE INDEX reviews_by_product ON reviews (product_id, id);

INSERT INTO categories (id, name) VALUES (1, 'Kitchen'), (2, 'Desk'), (3, 'Outdoors');
INSERT INTO products (id, category_id, name, cents, teaser, description) VALUES
  (1, 1, 'Enamel coffee pot', 14995, 'From the stove to the table.', 'Two layers of blue enamel over steel. The lid is tied on, the handle stays cool and the spout pours without a drip. Holds a litre and a half.'),
  (2, 1, 'Milk pan', 3990, 'Two spouts, so either hand will do.', 'A small pan for milk and sauces, marked inside at every 100 ml.'),
  (3, 1, 'Cork trivet', 1400, 'What the pot stands on.', 'Pressed cork from Alentejo, 20 cm across, with a beech rim.'),
  (4, 1, 'Tea strainer', 825, 'Fits every cup we know.', 'Stainless steel, with a rest that catches the last drops.'),
  (5, 2, 'Paper knife', 2750, 'Letters still come.', 'A blunt blade of brass with a walnut handle. Gets better to hold with the years.'),
  (6, 2, 'Desk lamp', 8900, 'Light where the page is.', 'An arm with two joints, a shade that does not dazzle, a bulb you can buy anywhere.'),
  (7, 2, 'Notebook, dotted', 1250, 'Lies flat on any page.', '192 pages of 90 g paper, sewn, not glued.'),
  (8, 3, 'Wool blanket', 12900, 'For the boat, the bench and the tent.', 'Undyed wool, woven double, 140 by 200 cm.'),
  (9, 3, 'Storm lantern', 4600, 'Burns for twenty hours.', 'Tin-plated steel and glass, for lamp oil. The flame is set with one thumb.');
INSERT INTO stock (product_id, available, warehouse) VALUES
  (1, 12, 'Galway'), (2, 40, 'Galway'), (3, 31, 'Porto'), (4, 77, 'Galway'), (5, 0, 'Porto'),
  (6, 5, 'Galway'), (7, 240, 'Porto'), (8, 9, 'Galway'), (9, 3, 'Porto');
INSERT INTO reviews (id, product_id, author, stars, body, posted) VALUES
  (1, 1, 'Jon & Mia', 5, 'Looks lovely on the stove, and the coffee stays hot.', '2026-08-12'),
  (2, 1, 'R. Okafor', 4, 'A little heavy when full; pours very well.', '2026-09-02'),
  (3, 1, 'Tess', 5, 'My grandmother''s had the same spout. <3', '2026-09-14'),
  (4, 6, 'Ulf', 3, 'Arrived with a dent, replaced within two days.', '2026-07-30'),
  (5, 8, 'Ines', 5, 'Warm, and it smells of sheep for a week only.', '2026-10-21');
