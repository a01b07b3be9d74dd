import { refOf } from "../api/metadata.ts";
import type { ApiObject, Objects } from "../api/objects.ts";
import { sameElements, share } from "../lib/share.ts";
import type { EditionForms, MeshForms, Withheld } from "../mesh/editions.ts";
import { decideEditions } from "../reconcilers/editions.ts";
import { isHeldBack } from "../reconcilers/quarantine.ts";
import { contentOf } from "../store/content-of.ts";
import { type Substitute, substituted } from "./held-kinds.ts";
import type { KnownObject } from "./known-object.ts";
import { ownObjectAt } from "./own-objects.ts";
import type { Question } from "./retries.ts";
import type { Trials } from "./trials.ts";

/** Editions besides the one for everybody: a fleet runs two or three versions while it is updated. */
const maxEditions = 4;

/** That proxies of some software are not to have an object as it is. */
export interface Doubt {
	readonly object: ApiObject;
	readonly known: KnownObject;
	/** The software. */
	readonly by: ReadonlySet<string>;
	/** Nobody is to have it. */
	readonly isForAll: boolean;
}

/** Which of these objects are refused or wait for a trial, by `refKey`. */
export function doubtsAbout(
	objects: Objects,
	{
		known,
		trials,
		present,
	}: {
		readonly known: ReadonlyMap<string, KnownObject>;
		readonly trials: Trials;
		readonly present: ReadonlySet<string>;
	},
): ReadonlyMap<string, Doubt> {
	const doubts = new Map<string, Doubt>();
	const suspended = trials.suspended;
	for (const [key, one] of known) {
		if (!one.isMarked && !suspended.has(key)) continue;
		const object = ownObjectAt(objects, one.ref);
		if (object === undefined) continue;
		const content = contentOf(object);
		const by = new Set([
			...one.refusedBy(content),
			...trials.suspendedFor(key, content),
		]);
		if (by.size === 0) continue;
		const isForAll = isHeldBack({
			doubtedBy: by,
			acceptedBy: one.acceptedBy(content),
			present,
		});
		doubts.set(key, { object, known: one, by, isForAll });
	}
	return doubts;
}

/** Who is to have what. */
export interface Holding {
	readonly doubts: ReadonlyMap<string, Doubt>;
	/** Software that proxies have, or may come back with. */
	readonly present: ReadonlySet<string>;
	/** Proxies that get a doubted object as it is, because they are asked about it. */
	readonly asked: ReadonlyMap<string, Question>;
}

/**
 * The forms that proxies are to have.
 *
 * @param before what this answered last, whose parts are handed back where nothing differs
 */
export function meshForms(
	objects: Objects,
	{ doubts, present, asked }: Holding,
	before: MeshForms | undefined,
): MeshForms {
	const forAll = substituted(
		objects,
		[...doubts.values()]
			.filter(({ isForAll }) => isForAll)
			.map((doubt) => substituteOf(doubt)),
		before?.objects,
	);
	const old = before?.editions ?? [];
	const some = new Map([...doubts].filter(([, { isForAll }]) => !isForAll));
	const editions = [
		...editionsOf(forAll, some, present, old),
		...[...asked.values()].map((one) => editionFor(one, objects, doubts, old)),
	];
	return {
		objects: forAll,
		editions: sameElements(old, editions) ? old : editions,
	};
}

/** The objects as a proxy of this software and workload gets them. */
export function objectsFor(
	{ editions, objects }: MeshForms,
	{ software, proxy }: { readonly software: string; readonly proxy: string },
): Objects {
	const edition =
		editions.find(({ proxies }) => proxies.has(proxy)) ??
		editions.find((one) => one.software.has(software));
	return edition?.objects ?? objects;
}

/** What proxies of each software get, from which more is withheld than from all. */
function editionsOf(
	forAll: Objects,
	doubts: ReadonlyMap<string, Doubt>,
	present: ReadonlySet<string>,
	before: readonly EditionForms[],
): readonly EditionForms[] {
	const ordered = new Set([
		...before.flatMap(({ software }) => [...software]),
		...[...present].sort(),
	]);
	const withheld = new Map<string, Map<string, string>>();
	for (const software of ordered) {
		if (!present.has(software)) continue;
		const forms = new Map<string, string>();
		for (const [key, doubt] of doubts) {
			if (!doubt.by.has(software)) continue;
			const { form } = substituteOf(doubt, new Set([software]));
			forms.set(key, form === undefined ? "" : contentOf(form));
		}
		withheld.set(software, forms);
	}
	return decideEditions(withheld, maxEditions).map(({ software, keys }) => {
		const list = new Set(software);
		const held = [...doubts].flatMap(([key, doubt]) =>
			keys.has(key) ? [doubt] : [],
		);
		return sameEdition(before, {
			id: software[0] ?? "",
			software: list,
			proxies: nobody,
			from: forAll,
			substitutes: held.map((doubt) => substituteOf(doubt, list)),
			withheld: held.map((doubt) => withheldOf(doubt, list)),
		});
	});
}

/** What one proxy gets that is asked about one object: what the others of its software get, and that object. */
function editionFor(
	{ key, software, proxy }: Question,
	objects: Objects,
	doubts: ReadonlyMap<string, Doubt>,
	before: readonly EditionForms[],
): EditionForms {
	const own = new Set([software]);
	const held = [...doubts].flatMap(([one, doubt]) =>
		one !== key && (doubt.isForAll || doubt.by.has(software)) ? [doubt] : [],
	);
	return sameEdition(before, {
		id: `proxy ${proxy}`,
		software: nobody,
		proxies: new Set([proxy]),
		from: objects,
		substitutes: held.map((doubt) =>
			doubt.isForAll ? substituteOf(doubt) : substituteOf(doubt, own),
		),
		withheld: held.flatMap((doubt) =>
			doubt.isForAll ? [] : [withheldOf(doubt, own)],
		),
	});
}

const nobody: ReadonlySet<string> = new Set();

/** The edition, made of as much as possible of what it was before. */
function sameEdition(
	before: readonly EditionForms[],
	{
		from,
		substitutes,
		...now
	}: Omit<EditionForms, "objects"> & {
		readonly from: Objects;
		readonly substitutes: readonly Substitute[];
	},
): EditionForms {
	const same = before.find(({ id }) => id === now.id);
	const edition: EditionForms = {
		id: now.id,
		software: share(same?.software, now.software),
		proxies: share(same?.proxies, now.proxies),
		objects: substituted(from, substitutes, same?.objects),
		withheld: share(same?.withheld, now.withheld),
	};
	const isSame =
		same !== undefined &&
		sameElements(Object.values(same), Object.values(edition));
	return isSame ? same : edition;
}

/** What takes the object's place; for everybody, without `software`. */
function substituteOf(
	{ object, known }: Doubt,
	software?: ReadonlySet<string>,
): Substitute {
	return { object, form: known.fallback(contentOf(object), software) };
}

function withheldOf(
	{ object, known }: Doubt,
	software: ReadonlySet<string>,
): Withheld {
	return {
		ref: refOf(object),
		rejections: [...known.refusals(contentOf(object))].flatMap(
			([one, { proxy, message }]) =>
				software.has(one) ? [{ proxy, message }] : [],
		),
	};
}
