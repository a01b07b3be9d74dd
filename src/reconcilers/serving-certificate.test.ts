import { expect } from "chai";
import type { CertificateFacts } from "../pki/read-certificate.ts";
import {
	decideServing,
	type SeenAuthority,
	type SeenLeaf,
	type SeenServing,
	servingLifetimes,
} from "./serving-certificate.ts";

const DAY = 86_400_000;
const nowMs = Date.UTC(2026, 0, 1);
const { settleMs, urgentSettleMs } = servingLifetimes;

function facts(
	name: string,
	fields: Partial<CertificateFacts> = {},
): CertificateFacts {
	return {
		commonName: name,
		names: { dns: ["lateen.lateen-system.svc"], ips: [], uris: [] },
		notBeforeMs: nowMs - DAY,
		notAfterMs: nowMs + 300 * DAY,
		isAuthority: false,
		serial: "01",
		keyId: undefined,
		authorityKeyId: undefined,
		fingerprint: name,
		...fields,
	};
}

function authority(
	name: string,
	fields: Partial<CertificateFacts> = {},
): SeenAuthority {
	return { pem: name, facts: facts(name, { isAuthority: true, ...fields }) };
}

function leaf(
	fields: Partial<Omit<SeenLeaf, "facts">> & {
		readonly facts?: Partial<CertificateFacts>;
	} = {},
): SeenLeaf {
	return {
		keyMatches: true,
		issuer: "a",
		...fields,
		facts: facts("leaf", { notAfterMs: nowMs + 80 * DAY, ...fields.facts }),
	};
}

const steady: SeenServing = {
	authorities: [authority("a")],
	authorityKeyMatches: true,
	leaf: leaf(),
	published: [authority("a")],
	publishedForMs: 5 * DAY,
	names: ["lateen.lateen-system.svc"],
};

const rotating: SeenServing = {
	...steady,
	authorities: [authority("b"), authority("a", { notAfterMs: nowMs + DAY })],
};

const empty: SeenServing = {
	authorities: [],
	authorityKeyMatches: false,
	leaf: undefined,
	published: [],
	publishedForMs: undefined,
	names: steady.names,
};

describe("decideServing", () => {
	const cases: readonly {
		readonly name: string;
		readonly seen: SeenServing;
		readonly want: Readonly<Record<string, unknown>>;
	}[] = [
		{
			name: "leaves good certificates alone",
			seen: steady,
			want: { action: "nothing" },
		},
		{
			name: "begins with an authority",
			seen: empty,
			want: { action: "new-authority", cause: "Missing", keep: [] },
		},
		{
			name: "keeps authorities trusted that were published when the Secret is lost",
			seen: { ...empty, published: [authority("a")] },
			want: { action: "new-authority", cause: "Missing", keep: ["a"] },
		},
		{
			name: "replaces an authority whose key is another's, and keeps it trusted",
			seen: { ...steady, authorityKeyMatches: false },
			want: { action: "new-authority", cause: "KeyMismatch", keep: ["a"] },
		},
		{
			name: "replaces what is no authority, and does not keep it",
			seen: {
				...steady,
				authorities: [authority("a", { isAuthority: false })],
				published: [],
			},
			want: { action: "new-authority", cause: "NotAnAuthority", keep: [] },
		},
		{
			name: "replaces an authority in time",
			seen: {
				...steady,
				authorities: [authority("a", { notAfterMs: nowMs + 119 * DAY })],
			},
			want: { action: "new-authority", cause: "NearExpiry", keep: ["a"] },
		},
		{
			name: "replaces an authority that has expired, and does not keep it",
			seen: {
				...steady,
				authorities: [authority("a", { notAfterMs: nowMs - 1 })],
				published: [],
			},
			want: { action: "new-authority", cause: "Expired", keep: [] },
		},
		{
			name: "replaces an authority from the future, and keeps it for leaves that it has signed",
			seen: {
				...steady,
				authorities: [authority("a", { notBeforeMs: nowMs + DAY })],
			},
			want: { action: "new-authority", cause: "NotYetValid", keep: ["a"] },
		},
		{
			name: "does not fill the bundle without end",
			seen: {
				...empty,
				published: ["a", "b", "c", "d"].map((n) => authority(n)),
			},
			want: {
				action: "new-authority",
				cause: "Missing",
				keep: ["a", "b", "c"],
			},
		},
		{
			name: "waits with the first leaf until its authority is published",
			seen: { ...steady, leaf: undefined, publishedForMs: undefined },
			want: { action: "nothing" },
		},
		{
			name: "issues a missing leaf as soon as its authority is published",
			seen: { ...steady, leaf: undefined, publishedForMs: 0 },
			want: { action: "new-leaf", cause: "Missing" },
		},
		{
			name: "replaces a leaf whose key is another's",
			seen: { ...steady, leaf: leaf({ keyMatches: false }) },
			want: { action: "new-leaf", cause: "KeyMismatch" },
		},
		{
			name: "replaces a leaf that no authority of the bundle has signed",
			seen: { ...steady, leaf: leaf({ issuer: undefined }) },
			want: { action: "new-leaf", cause: "UnknownIssuer" },
		},
		{
			name: "replaces a leaf that does not speak for a name",
			seen: { ...steady, names: [...steady.names, "127.0.0.1"] },
			want: { action: "new-leaf", cause: "NamesDiffer" },
		},
		{
			name: "replaces a leaf in time",
			seen: {
				...steady,
				leaf: leaf({ facts: { notAfterMs: nowMs + 29 * DAY } }),
			},
			want: { action: "new-leaf", cause: "NearExpiry" },
		},
		{
			name: "replaces a leaf that has expired",
			seen: { ...steady, leaf: leaf({ facts: { notAfterMs: nowMs - 1 } }) },
			want: { action: "new-leaf", cause: "Expired" },
		},
		{
			name: "replaces a leaf from the future",
			seen: { ...steady, leaf: leaf({ facts: { notBeforeMs: nowMs + 1 } }) },
			want: { action: "new-leaf", cause: "NotYetValid" },
		},
		{
			name: "keeps the leaf of the old authority until everybody had time to read of the new one",
			seen: { ...rotating, publishedForMs: settleMs - 1 },
			want: { action: "nothing", lookAgainMs: 1 },
		},
		{
			name: "lets the leaf follow its authority then",
			seen: { ...rotating, publishedForMs: settleMs },
			want: { action: "new-leaf", cause: "NewAuthority" },
		},
		{
			name: "waits seconds only with a leaf that is of no use anyway",
			seen: {
				...rotating,
				leaf: leaf({ keyMatches: false }),
				publishedForMs: urgentSettleMs - 1,
			},
			want: { action: "nothing", lookAgainMs: 1 },
		},
		{
			name: "replaces it then",
			seen: {
				...rotating,
				leaf: leaf({ keyMatches: false }),
				publishedForMs: urgentSettleMs,
			},
			want: { action: "new-leaf", cause: "KeyMismatch" },
		},
		{
			name: "waits for settling although the old leaf is due too",
			seen: {
				...rotating,
				leaf: leaf({ facts: { notAfterMs: nowMs + 29 * DAY } }),
				publishedForMs: 0,
			},
			want: { action: "nothing", lookAgainMs: settleMs },
		},
		{
			name: "keeps the old authority as long as it is good",
			seen: { ...rotating, leaf: leaf({ issuer: "b" }) },
			want: { action: "nothing" },
		},
		{
			name: "drops an old authority that has expired",
			seen: {
				...rotating,
				authorities: [
					authority("b"),
					authority("a", { notAfterMs: nowMs - 1 }),
				],
				leaf: leaf({ issuer: "b" }),
			},
			want: { action: "drop-authorities", keep: ["b"] },
		},
	];
	for (const { name, seen, want } of cases)
		it(name, () => expect(decideServing(seen, nowMs)).to.deep.include(want));

	it("looks again when something is due, at least hourly, at most once a minute", () => {
		const look = (untilMs: number): unknown =>
			decideServing(
				{
					...steady,
					leaf: leaf({
						facts: {
							notAfterMs: nowMs + servingLifetimes.leafRenewMs + untilMs,
						},
					}),
				},
				nowMs,
			);
		expect(look(5 * DAY)).to.include({ lookAgainMs: 3_600_000 });
		expect(look(600_000)).to.include({ lookAgainMs: 600_000 });
		expect(look(1)).to.include({ lookAgainMs: 60_000 });
	});
});
