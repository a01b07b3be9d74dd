import type { ObjectRef } from "../api/object-ref.ts";
import type { Distribution } from "../reconcilers/distribution.ts";

/** Says how far objects have come among proxies. */
export interface DistributionReader {
	/** How far the newest resources that came from the object have come. */
	of(ref: ObjectRef): Distribution;
	/** How much of the object proxies lack, in all; asked of every object that is on its way, so it is to be cheap. */
	lackingOf(ref: ObjectRef): number;
	/** Calls `listener` with objects that came everywhere, or no longer are, until the returned function is called. */
	subscribe(listener: (refs: Iterable<ObjectRef>) => void): () => void;
	/** Calls `listener` when other proxies count than before, so that any object's total may differ, until the returned function is called. */
	subscribeTotals(listener: () => void): () => void;
}
