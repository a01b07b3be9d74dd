/*
 * The certificate that the control plane shows to the API server and to proxies, and the authority behind it.
 *
 *   new authority ─▶ in the bundle, before the old one ─▶ bundle published ─▶ settled ─▶ new leaf ─▶ old authority expires ─▶ out
 *                    (leaf still of the old one)          (ConfigMap, webhook)
 *
 * Nobody is refused in between, because every leaf that some replica may still show is signed by an authority that everybody
 * has been told to trust. The old authority stays in the bundle until it expires: its key is gone, so it signs nothing more.
 */
import type { CertificateFacts } from "../pki/read-certificate.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** How long certificates are good, and when they are followed by new ones. Milliseconds. */
export const servingLifetimes = {
	/** A year: whoever copied the bundle by hand hears of rotation rarely, and it is still practised. */
	authorityMs: 365 * DAY,
	/** Longer than a leaf lives, so that no leaf is cut short by its authority. */
	authorityRenewMs: 120 * DAY,
	/** Short enough that a stolen key is of no use for long; xDS hangs on it, so it must outlive a holiday without a leader. */
	leafMs: 90 * DAY,
	/** A month in which somebody may find out why nothing renews. */
	leafRenewMs: 30 * DAY,
	/** Certificates count from an hour ago, because clocks differ. */
	backdateMs: HOUR,
	/** From the bundle being published to the first leaf that needs it: a kubelet takes up to two minutes to bring a ConfigMap to its pods. */
	settleMs: 10 * 60_000,
	/** The same when replicas may have no certificate to show: long enough for every API server to hear of the new bundle. */
	urgentSettleMs: 5000,
} as const;

/** Authorities in the bundle at most; who rotates by hand again and again must not fill the Secret. */
const maxAuthorities = 4;

/** Least and greatest time between two looks: the clock may be set at any time. */
const looks = { leastMs: 60_000, mostMs: HOUR } as const;

/** One authority of a bundle. */
export interface SeenAuthority {
	/** One certificate as PEM. */
	readonly pem: string;
	readonly facts: CertificateFacts;
}

/** The leaf in the Secret. */
export interface SeenLeaf {
	readonly facts: CertificateFacts;
	readonly keyMatches: boolean;
	/** Fingerprint of the authority of the bundle that signed it; undefined when none did. */
	readonly issuer: string | undefined;
}

/** Everything that the decision rests on. */
export interface SeenServing {
	/** The bundle in the Secret, in order; the first is to be the authority whose key is beside it. */
	readonly authorities: readonly SeenAuthority[];
	/** Whether the key in the Secret is the first authority's. */
	readonly authorityKeyMatches: boolean;
	readonly leaf: SeenLeaf | undefined;
	/** Authorities that were published and that others therefore trust. */
	readonly published: readonly SeenAuthority[];
	/** How long every place that others read has had the whole bundle; undefined while one has not. Milliseconds. */
	readonly publishedForMs: number | undefined;
	/** DNS names and addresses that the leaf must speak for. */
	readonly names: readonly string[];
}

/** Why something is made anew. */
export type ServingCause =
	| "Missing"
	| "KeyMismatch"
	| "NotAnAuthority"
	| "Expired"
	| "NotYetValid"
	| "NearExpiry"
	| "NamesDiffer"
	| "UnknownIssuer"
	| "NewAuthority";

/** What is to be done next; afterwards everything is looked at again. */
export type ServingDecision =
	| { readonly action: "nothing"; readonly lookAgainMs: number }
	| {
			/** A new authority, first in the bundle. */
			readonly action: "new-authority";
			readonly cause: ServingCause;
			/** PEM of the authorities that stay trusted behind it. */
			readonly keep: readonly string[];
	  }
	| {
			/** A new leaf of the first authority. */
			readonly action: "new-leaf";
			readonly cause: ServingCause;
	  }
	| {
			readonly action: "drop-authorities";
			/** PEM of the bundle that stays. */
			readonly keep: readonly string[];
	  };

/**
 * The next step towards a good authority and a good leaf.
 *
 * Guarantees: repeated until it answers "nothing" it ends, from whatever state; a leaf that is good is only replaced by one
 *   of an authority that has been published for `settleMs`; a leaf that is of no use is replaced seconds after its
 *   authority is published.
 */
export function decideServing(
	seen: SeenServing,
	nowMs: number,
): ServingDecision {
	const authorityCause = causeOfAuthority(seen, nowMs);
	if (authorityCause !== undefined)
		return {
			action: "new-authority",
			cause: authorityCause,
			keep: trustedAuthorities(
				[...seen.authorities, ...seen.published],
				nowMs,
			).slice(0, maxAuthorities - 1),
		};
	const leafCause = causeOfLeaf(seen, nowMs);
	if (leafCause !== undefined) return renewLeaf(seen, leafCause);
	const keep = trustedAuthorities(seen.authorities, nowMs);
	if (keep.length < seen.authorities.length)
		return { action: "drop-authorities", keep };
	return { action: "nothing", lookAgainMs: nextLookMs(seen, nowMs) };
}

function renewLeaf(seen: SeenServing, cause: ServingCause): ServingDecision {
	const { publishedForMs } = seen;
	if (publishedForMs === undefined)
		return { action: "nothing", lookAgainMs: looks.leastMs };
	const { settleMs, urgentSettleMs } = servingLifetimes;
	const isPlanned = cause === "NewAuthority";
	// The only authority there ever was is not compared with another that some may still go by.
	const isOnly = seen.authorities.length === 1;
	const waitMs = isPlanned ? settleMs : isOnly ? 0 : urgentSettleMs;
	const leftMs = waitMs - publishedForMs;
	return leftMs > 0
		? { action: "nothing", lookAgainMs: leftMs }
		: { action: "new-leaf", cause };
}

function causeOfAuthority(
	{ authorities: [first], authorityKeyMatches }: SeenServing,
	nowMs: number,
): ServingCause | undefined {
	if (first === undefined) return "Missing";
	if (!first.facts.isAuthority) return "NotAnAuthority";
	if (!authorityKeyMatches) return "KeyMismatch";
	return causeOfTime(first.facts, servingLifetimes.authorityRenewMs, nowMs);
}

/** Why the leaf is to be replaced; what makes it useless comes before what is merely due. */
function causeOfLeaf(
	{ leaf, authorities, names }: SeenServing,
	nowMs: number,
): ServingCause | undefined {
	if (leaf === undefined) return "Missing";
	const { facts } = leaf;
	if (!leaf.keyMatches) return "KeyMismatch";
	if (leaf.issuer === undefined) return "UnknownIssuer";
	const has = new Set([...facts.names.dns, ...facts.names.ips]);
	if (!names.every((name) => has.has(name))) return "NamesDiffer";
	const timeCause = causeOfTime(facts, servingLifetimes.leafRenewMs, nowMs);
	const isOfFirst = leaf.issuer === authorities[0]?.facts.fingerprint;
	if (timeCause === "NearExpiry" && !isOfFirst) return "NewAuthority";
	return timeCause ?? (isOfFirst ? undefined : "NewAuthority");
}

function causeOfTime(
	{ notBeforeMs, notAfterMs }: CertificateFacts,
	renewMs: number,
	nowMs: number,
): ServingCause | undefined {
	if (nowMs > notAfterMs) return "Expired";
	if (nowMs < notBeforeMs) return "NotYetValid";
	return notAfterMs - nowMs < renewMs ? "NearExpiry" : undefined;
}

/** The authorities by which a leaf may still be signed, each once, in order. */
function trustedAuthorities(
	all: readonly SeenAuthority[],
	nowMs: number,
): readonly string[] {
	const good = all.filter(
		({ facts }) => facts.isAuthority && nowMs <= facts.notAfterMs,
	);
	return [...new Set(good.map(({ pem }) => pem))];
}

function nextLookMs(seen: SeenServing, nowMs: number): number {
	const { authorityRenewMs, leafRenewMs } = servingLifetimes;
	const dueMs = Math.min(
		...seen.authorities.map(({ facts }) => facts.notAfterMs),
		...seen.authorities
			.slice(0, 1)
			.map(({ facts }) => facts.notAfterMs - authorityRenewMs),
		(seen.leaf?.facts.notAfterMs ?? nowMs) - leafRenewMs,
	);
	return Math.min(Math.max(dueMs - nowMs, looks.leastMs), looks.mostMs);
}
