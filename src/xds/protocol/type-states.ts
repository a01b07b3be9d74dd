import type { ResourceType } from "../resource-type.ts";
import type { TypeState } from "./type-state.ts";

/** What is known about every type on one stream. */
export type TypeStates = { readonly [T in ResourceType]: TypeState };
