import { equal } from 'node:assert/strict';
import { readingFrom } from '../../../connectors/clickhouse/rewrite.ts';

const source = { database: 'shop', name: 'orders' };
const twin = { database: 'shop', name: 'twin' };

describe("a view's SELECT from another table", () => {
  for (const [select, expected] of [
    ['SELECT id FROM shop.orders', 'SELECT id FROM `shop`.`twin` AS `orders`'],
    ['SELECT o.id FROM shop.orders AS o', 'SELECT o.id FROM `shop`.`twin` AS o'],
    ['SELECT orders.id FROM `shop`.`orders` WHERE x', 'SELECT orders.id FROM `shop`.`twin` AS `orders` WHERE x'],
    ['SELECT shop.orders.id FROM shop.orders', 'SELECT `orders`.id FROM `shop`.`twin` AS `orders`'],
    [
      "SELECT 'shop.orders' AS t FROM shop.orders -- shop.orders",
      "SELECT 'shop.orders' AS t FROM `shop`.`twin` AS `orders` -- shop.orders",
    ],
    [
      'SELECT a.id FROM shop.orders AS a LEFT JOIN shop.names AS n ON a.id = n.id',
      'SELECT a.id FROM `shop`.`twin` AS a LEFT JOIN shop.names AS n ON a.id = n.id',
    ],
    [
      'WITH x AS (SELECT id FROM shop.orders) SELECT id FROM x',
      'WITH x AS (SELECT id FROM `shop`.`twin` AS `orders`) SELECT id FROM x',
    ],
  ]) {
    it(`is the same otherwise: ${select}`, () => {
      equal(readingFrom(select!, source, twin), expected);
    });
  }

  for (const select of [
    'SELECT a.id FROM shop.orders AS a JOIN shop.orders AS b ON a.id = b.id',
    'SELECT id FROM shop.orders WHERE id IN (SELECT max(id) FROM shop.orders)',
    'SELECT id FROM shop.orders2',
    'SELECT id FROM other.shop.orders',
    "SELECT 'shop.orders'",
  ]) {
    it(`is not given for what reads the table twice, or not at all: ${select}`, () => {
      equal(readingFrom(select, source, twin), undefined);
    });
  }

  it('finds names that need quotes', () => {
    const odd = { database: 'my shop', name: 'or`ders' };
    equal(readingFrom('SELECT 1 FROM `my shop`.`or\\`ders` AS x', odd, twin), 'SELECT 1 FROM `shop`.`twin` AS x');
  });
});
