import { refOf } from "../api/metadata.ts";
import type { ApiObject, Objects } from "../api/objects.ts";
import { sameElements, share } from "../lib/share.ts";
import type { EditionForms, MeshForms, Withheld } from "../mesh/editions.ts";
import { decideEditions } from "../reconcilers/editions.ts";
import { isHeldBack } from "../reconcilers/quarantine.ts";
import { contentOf } from "../store/content-of.ts";
import { keptObjectAt, substituted } from "./held-kinds.ts";
import type { KnownObject } from "./known-object.ts";
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
		const object = keptObjectAt(objects, one.ref);
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

/**
 * The forms that proxies are to have.
 *
 * @param before what this answered last, whose parts are handed back where nothing differs
 */
export function meshForms(
	objects: Objects,
	doubts: ReadonlyMap<string, Doubt>,
	present: ReadonlySet<string>,
	before: MeshForms | undefined,
): MeshForms {
	const all = [...doubts.values()].filter(({ isForAll }) => isForAll);
	const forAll = substituted(
		objects,
		all.map(({ object, known }) => ({
			object,
			form: known.fallback(contentOf(object)),
		})),
		before?.objects,
	);
	const some = new Map([...doubts].filter(([, { isForAll }]) => !isForAll));
	const editions = editionsOf(forAll, some, present, before?.editions ?? []);
	const isSame = sameElements(before?.editions ?? [], editions);
	return {
		objects: forAll,
		editions: isSame ? (before?.editions ?? editions) : editions,
	};
}

/** The objects as proxies of this software get them. */
export function objectsFor(forms: MeshForms, software: string): Objects {
	const edition = forms.editions.find((one) => one.software.has(software));
	return edition?.objects ?? forms.objects;
}

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
		for (const [key, { object, known, by }] of doubts) {
			if (!by.has(software)) continue;
			const form = known.fallback(contentOf(object), new Set([software]));
			forms.set(key, form === undefined ? "" : contentOf(form));
		}
		withheld.set(software, forms);
	}
	return decideEditions(withheld, maxEditions).map(
		({ software: list, keys }): EditionForms => {
			const [id = ""] = list;
			const same = before.find((one) => one.id === id);
			const software = share(same?.software, new Set(list));
			const held = [...doubts].filter(([key]) => keys.has(key));
			const edition: EditionForms = {
				id,
				software,
				objects: substituted(
					forAll,
					held.map(([, { object, known }]) => ({
						object,
						form: known.fallback(contentOf(object), software),
					})),
					same?.objects,
				),
				withheld: share(
					same?.withheld,
					held.map(([, doubt]) => withheldOf(doubt, software)),
				),
			};
			const isSame =
				same !== undefined &&
				sameElements(Object.values(same), Object.values(edition));
			return isSame ? same : edition;
		},
	);
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
