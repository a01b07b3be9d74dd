import { expect } from "chai";
import fc from "fast-check";
import {
	anything,
	type Conditional,
	type ConnectionMatch,
	connectionMatch,
	divideConnections,
} from "./connection-cells.ts";
import { parseSubnet, type Subnet, subnetContains } from "./subnet.ts";

interface Connection {
	readonly destination: Subnet;
	readonly serverName: string;
	readonly source: Subnet;
}

/** Few addresses and names, so that conditions overlap. */
const address = fc
	.tuple(fc.constantFrom("10.0", "10.1"), fc.nat(3), fc.nat(3))
	.map(([start, a, b]) => `${start}.${a}.${b}`);
const subnet = fc
	.tuple(address, fc.constantFrom("", "/0", "/8", "/16", "/23", "/24", "/31"))
	.map(([start, length]) => `${start}${length}`);
const serverName = fc.constantFrom(
	...["a.example.com", "b.example.com", "x.a.example.com", "example.com"],
);
const askedName = fc.oneof(
	serverName,
	fc.constantFrom("*.example.com", "*.a.example.com", "*.com"),
);
const match = fc
	.record({
		destinationSubnets: fc.array(subnet, { maxLength: 2 }),
		sourceSubnets: fc.array(subnet, { maxLength: 2 }),
		sni: fc.array(askedName, { maxLength: 2 }),
	})
	.map(connectionMatch);
const choices = fc
	.array(fc.tuple(match, fc.nat(2)), { maxLength: 5 })
	.map((matches): readonly Conditional<number>[] => [
		...matches.map(([match, choice]) => ({ match, choice, sameness: choice })),
		{ match: anything, choice: 99, sameness: 99 },
	]);
const connection = fc.record({
	destination: address.map(parseSubnet),
	serverName: fc.oneof(serverName, fc.constant("")),
	source: address.map(parseSubnet),
});

describe("divideConnections", () => {
	it("gives each connection, in Envoy's way, the choice that is first in order", () => {
		fc.assert(
			fc.property(choices, connection, (conditionals, connection) => {
				const cells = divideConnections(conditionals, anything);
				const want = conditionals.find((one) => holds(one.match, connection));
				expect(asEnvoyChooses(cells, connection)).to.equal(want?.choice);
			}),
			{ numRuns: 3_000 },
		);
	});

	it("does so within a subnet or a server name, and asks for it everywhere", () => {
		const base = fc.oneof(
			subnet.map((text) => ({
				...anything,
				destinations: [parseSubnet(text)],
			})),
			askedName.map((name) => ({ ...anything, serverNames: [name] })),
		);
		fc.assert(
			fc.property(choices, base, connection, (conditionals, base, one) => {
				const cells = divideConnections(conditionals, base);
				if (!holds(base, one)) {
					expect(asEnvoyChooses(cells, one)).to.equal(undefined);
					return;
				}
				const want = conditionals.find(({ match }) => holds(match, one));
				expect(asEnvoyChooses(cells, one)).to.equal(want?.choice);
			}),
			{ numRuns: 3_000 },
		);
	});

	it("never makes two cells that Envoy would take for the same", () => {
		fc.assert(
			fc.property(choices, (conditionals) => {
				const texts = divideConnections(conditionals, anything).flatMap(
					({ match }) =>
						orNothing(match.destinations.map(print)).flatMap((destination) =>
							orNothing(match.serverNames).flatMap((name) =>
								orNothing(match.sources.map(print)).map(
									(source) => `${destination} ${name} ${source}`,
								),
							),
						),
				);
				expect(new Set(texts).size).to.equal(texts.length);
			}),
		);
	});

	it("keeps a name apart from a wildcard around it that is as long", () => {
		const sni = (name: string) =>
			connectionMatch({
				destinationSubnets: [],
				sourceSubnets: [],
				sni: [name],
			});
		const cells = divideConnections(
			[
				{ match: sni("a.example.com"), choice: 0, sameness: 0 },
				{ match: sni("*.example.com"), choice: 1, sameness: 1 },
				{ match: anything, choice: 0, sameness: 0 },
			],
			anything,
		);
		const one = parseSubnet("10.0.0.1");
		expect(
			asEnvoyChooses(cells, {
				destination: one,
				serverName: "a.example.com",
				source: one,
			}),
		).to.equal(0);
	});

	it("says nothing that goes without saying", () => {
		const one = connectionMatch({
			destinationSubnets: ["10.0.0.0/8", "10.1.0.0/16"],
			sourceSubnets: [],
			sni: ["*.example.com", "a.example.com"],
		});
		const cells = divideConnections(
			[
				{ match: one, choice: "rule", sameness: 0 },
				{ match: anything, choice: "default", sameness: 1 },
			],
			anything,
		);
		expect(cells.map(({ match }) => match)).to.deep.equal([
			{
				destinations: [parseSubnet("10.0.0.0/8")],
				serverNames: ["*.example.com"],
				sources: [],
			},
			{ ...anything, destinations: [parseSubnet("10.0.0.0/8")] },
			anything,
		]);
	});

	it("makes no more cells than rules need, however long their lists", () => {
		const many = (make: (n: number) => string): string[] =>
			Array.from({ length: 64 }, (_, n) => make(n));
		const conditionals = Array.from({ length: 50 }, (_, rule) => ({
			match: connectionMatch({
				destinationSubnets: many((n) => `10.${rule}.${n}.0/24`),
				sourceSubnets: many((n) => `11.${rule}.${n}.0/24`),
				sni: many((n) => `n${n}.r${rule}.example.com`),
			}),
			choice: rule,
			sameness: rule,
		}));
		const cells = divideConnections(
			[...conditionals, { match: anything, choice: 50, sameness: 50 }],
			anything,
		);
		// For each rule its own cell and two for what it does not take; one for the rest.
		expect(cells.length).to.equal(50 * 3 + 1);
	});
});

function holds(match: ConnectionMatch, connection: Connection): boolean {
	const oneOf = <V>(values: readonly V[], is: (value: V) => boolean) =>
		values.length === 0 || values.some(is);
	return (
		oneOf(match.destinations, (s) =>
			subnetContains(s, connection.destination),
		) &&
		oneOf(match.serverNames, (n) => isNamed(n, connection.serverName)) &&
		oneOf(match.sources, (s) => subnetContains(s, connection.source))
	);
}

function isNamed(asked: string, name: string): boolean {
	return asked.startsWith("*.")
		? name.endsWith(asked.slice(1))
		: asked === name;
}

/** One criterion after the other; the narrowest that holds decides, and what it excludes stays excluded. */
function asEnvoyChooses<T>(
	cells: readonly Conditional<T>[],
	{ destination, serverName, source }: Connection,
): T | undefined {
	const ranks: ((match: ConnectionMatch) => number)[] = [
		({ destinations }) => narrowest(destinations, destination),
		({ serverNames }) =>
			serverNames.length === 0
				? 0
				: Math.max(
						...serverNames.map((name) =>
							isNamed(name, serverName)
								? name.length + (name.startsWith("*.") ? 0 : 1_000)
								: -1,
						),
					),
		({ sources }) => narrowest(sources, source),
	];
	let left = cells;
	for (const rank of ranks) {
		const best = Math.max(-1, ...left.map(({ match }) => rank(match)));
		left = best < 0 ? [] : left.filter(({ match }) => rank(match) === best);
	}
	expect(left.length).to.be.at.most(1);
	return left[0]?.choice;
}

function narrowest(subnets: readonly Subnet[], address: Subnet): number {
	if (subnets.length === 0) return 0;
	return Math.max(
		...subnets.map((s) =>
			subnetContains(s, address) ? s.prefix.length + 1 : -1,
		),
	);
}

function orNothing(texts: readonly string[]): readonly string[] {
	return texts.length === 0 ? ["-"] : texts;
}

function print({ prefix }: Subnet): string {
	return `/${prefix}`;
}
