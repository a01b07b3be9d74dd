import type { ObjectRef } from "../api/object-ref.ts";
import type { ApiObject } from "../api/objects.ts";
import type { AcceptedForm, RefusedForm } from "../api/proxy-report.ts";
import { contentOf } from "../store/content-of.ts";
import type { KeptRefusal, LastGood } from "../store/last-good.ts";

/** That proxies of one software refuse a form. */
export interface Refusal {
	/** The first that refused it, and its words. */
	readonly proxy: string;
	readonly message: string;
	/** All that are known to have refused it. */
	readonly by: Set<string>;
	/** More than one proxy has refused it. */
	isConfirmed: boolean;
	/** Others that were asked whether they refuse it, too. */
	readonly asked: Set<string>;
	/** The resource that was refused; undefined when an earlier process heard of it. */
	readonly resource:
		| {
				readonly type: string;
				readonly version: string;
				/** Proxies of this software had accepted the form in another resource of this type. */
				readonly wasProven: boolean;
		  }
		| undefined;
}

/** Forms of one object of which is remembered what proxies said. */
const maxForms = 4;

/** Software of which is remembered that it refuses or accepts one form. */
const maxSoftware = 16;

/** Proxies of which is remembered that they refuse one form; two are enough to believe them. */
const maxWitnesses = 2;

/** Everything that is remembered about one object. */
export class KnownObject {
	readonly ref: ObjectRef;
	/** Content of the valid form that was kept last. */
	kept: string | undefined;
	/** Content of the form that an earlier process has kept as proven. */
	readonly #rememberedProof: string | undefined;
	/** Content of the newest form that proxies here have shown to be good. */
	#provenHere: string | undefined;
	/** Accepted forms, the newest first. */
	#proven: readonly ApiObject[];
	/** By content and software; the newest last. */
	readonly #refusals = new Map<string, Map<string, Refusal>>();
	/** Software that accepted a form, by content; the newest last. */
	readonly #accepted = new Map<string, Set<string>>();

	/** @param remembered what an earlier process kept */
	constructor(ref: ObjectRef, remembered?: LastGood) {
		this.ref = ref;
		const { valid, proven, refusals = [], accepted = [] } = remembered ?? {};
		this.kept = valid && contentOf(valid);
		this.#proven = proven === undefined ? [] : [proven];
		this.#rememberedProof = proven && contentOf(proven);
		for (const { content, software, ...said } of refusals) {
			this.refuse(content, software, { ...said, resource: undefined });
		}
		for (const { content, software } of accepted)
			this.accept(content, software);
	}

	/** Whether something of it was refused and is remembered. */
	get isMarked(): boolean {
		return this.#refusals.size > 0;
	}

	/** The software that is spoken of. */
	*software(): Iterable<string> {
		for (const refusals of this.#refusals.values()) yield* refusals.keys();
		for (const software of this.#accepted.values()) yield* software;
	}

	/** Who refuses a form, by software. */
	refusals(content: string): ReadonlyMap<string, Refusal> {
		return this.#refusals.get(content) ?? noRefusals;
	}

	/** What proxies have refused here and now, and not before a restart or elsewhere. */
	refusedHere(): readonly RefusedForm[] {
		return [...this.#refusals].flatMap(([content, refusals]) =>
			[...refusals].flatMap(([software, { proxy, message, resource }]) =>
				resource === undefined ? [] : [{ content, software, proxy, message }],
			),
		);
	}

	/** Notes that a proxy refuses a form. */
	refuse(
		content: string,
		software: string,
		{
			proxy,
			message,
			by = new Set([proxy]),
			isConfirmed = by.size > 1,
			resource,
		}: Pick<Refusal, "proxy" | "message" | "resource"> & {
			readonly by?: ReadonlySet<string>;
			readonly isConfirmed?: boolean | undefined;
		},
	): void {
		const refusals = this.#refusals.get(content) ?? new Map<string, Refusal>();
		refusals.set(software, {
			proxy,
			message,
			by: new Set(by),
			isConfirmed,
			asked: new Set(),
			resource,
		});
		bound(refusals, maxSoftware);
		this.#refusals.set(content, refusals);
		bound(this.#refusals, maxForms);
	}

	/** Takes back that a software refuses a form. */
	absolve(content: string, software: string): void {
		const refusals = this.#refusals.get(content);
		refusals?.delete(software);
		if (refusals?.size === 0) this.#refusals.delete(content);
	}

	/** A proxy has accepted a resource of this version; answers whether others of its software had refused it. */
	absolveVersion(software: string, version: string): boolean {
		let isAbsolved = false;
		for (const [content, refusals] of [...this.#refusals]) {
			if (refusals.get(software)?.resource?.version !== version) continue;
			this.absolve(content, software);
			isAbsolved = true;
		}
		return isAbsolved;
	}

	/** More proxies have refused a form that is known to be refused. */
	confirm(content: string, software: string, by: Iterable<string>): void {
		const refusal = this.#refusals.get(content)?.get(software);
		if (refusal === undefined) return;
		for (const proxy of by) {
			if (refusal.by.size < maxWitnesses) refusal.by.add(proxy);
		}
		if (refusal.by.size > 1) refusal.isConfirmed = true;
	}

	/** More proxies have refused a resource of this version; answers whether others had before. */
	confirmVersion(
		software: string,
		version: string,
		by: Iterable<string>,
	): boolean {
		let isKnown = false;
		for (const [content, refusals] of this.#refusals) {
			if (refusals.get(software)?.resource?.version !== version) continue;
			this.confirm(content, software, by);
			isKnown = true;
		}
		return isKnown;
	}

	/** Software that refuses a form. */
	refusedBy(content: string): ReadonlySet<string> {
		return new Set(this.#refusals.get(content)?.keys());
	}

	/** Software that has accepted a form. */
	acceptedBy(content: string): ReadonlySet<string> {
		return this.#accepted.get(content) ?? nobody;
	}

	/** Notes that a software accepts a form, in some resource. */
	accept(content: string, software: string): void {
		const accepted = this.#accepted.get(content) ?? new Set<string>();
		this.#accepted.delete(content);
		accepted.add(software);
		bound(accepted, maxSoftware);
		this.#accepted.set(content, accepted);
		bound(this.#accepted, maxForms);
	}

	/** Whether an earlier process knew the form as good, for whatever software and type. */
	wasProvenEarlier(content: string): boolean {
		return this.#rememberedProof === content;
	}

	/** Whether the form is among the good ones that are remembered. */
	isProven(content: string): boolean {
		return this.#proven.some((form) => contentOf(form) === content);
	}

	/** Whether the form is the newest good one. */
	isNewestProven(content: string): boolean {
		const [newest] = this.#proven;
		return newest !== undefined && contentOf(newest) === content;
	}

	/** Proxies here have accepted the form: it is the newest good one. */
	prove(form: ApiObject): void {
		this.#provenHere = contentOf(form);
		this.adopt(form);
	}

	/** Which software has accepted the form that proxies here have shown to be good. */
	acceptedHere(): readonly AcceptedForm[] {
		const content = this.#provenHere;
		if (content === undefined) return [];
		return [...this.acceptedBy(content)]
			.filter((software) => !this.refusals(content).has(software))
			.map((software) => ({ content, software }));
	}

	/** Makes the form the newest good one. Of older ones stay the newest, and the newest that nobody refuses. */
	adopt(form: ApiObject): void {
		const older = this.#proven.filter(
			(one) => contentOf(one) !== contentOf(form),
		);
		const safe = older.find((one) => !this.#refusals.has(contentOf(one)));
		this.#proven = [...new Set([form, ...older.slice(0, 1), safe])].filter(
			(one) => one !== undefined,
		);
	}

	/** What was refused before is of no interest any more, and is not gone back to. */
	forgetRefusals(): void {
		this.#proven = this.#proven.filter(
			(form) => !this.#refusals.has(contentOf(form)),
		);
		this.#refusals.clear();
	}

	/**
	 * The good form that takes the place of `content`: of those that none of this
	 * software refuses the newest that all of it has accepted, or else the newest.
	 * Without `software`, the newest that nobody refuses.
	 */
	fallback(
		content: string,
		software?: ReadonlySet<string>,
	): ApiObject | undefined {
		const good = this.#proven.filter((form) => {
			if (contentOf(form) === content) return false;
			const refusals = this.refusals(contentOf(form));
			return software === undefined
				? refusals.size === 0
				: [...software].every((one) => !refusals.has(one));
		});
		const accepted = good.find((form) => {
			const by = this.acceptedBy(contentOf(form));
			return [...(software ?? [])].every((one) => by.has(one));
		});
		return accepted ?? good[0];
	}

	/** What must outlive the process. */
	lastGood(valid: ApiObject | undefined): LastGood {
		return {
			ref: this.ref,
			valid,
			proven: this.#newestSafe() ?? this.#proven[0],
			refusals: [...this.#refusals].flatMap(([content, refusals]) =>
				[...refusals].map(
					([software, { proxy, message, isConfirmed }]): KeptRefusal => ({
						content,
						software,
						proxy,
						message,
						...(isConfirmed && { isConfirmed }),
					}),
				),
			),
			// Of what nobody refuses it does not matter who accepts it.
			accepted: [...this.#accepted].flatMap(([content, accepted]) =>
				this.#refusals.has(content)
					? [...accepted].map((software) => ({ content, software }))
					: [],
			),
		};
	}

	#newestSafe(): ApiObject | undefined {
		return this.#proven.find((one) => !this.#refusals.has(contentOf(one)));
	}
}

const nobody: ReadonlySet<string> = new Set();
const noRefusals: ReadonlyMap<string, Refusal> = new Map();

/** Leaves the newest. */
function bound<K>(
	map: { readonly size: number; keys(): Iterable<K>; delete(key: K): boolean },
	max: number,
): void {
	for (const oldest of map.keys()) {
		if (map.size <= max) return;
		map.delete(oldest);
	}
}
